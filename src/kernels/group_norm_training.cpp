#include "kernels/group_norm_training.h"

#include <optional>

#include "kernels/group_norm_gradient.h"

namespace sfumato {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using MaybeTensor = std::optional<torch::Tensor>;

MaybeTensor if_defined(const torch::Tensor& tensor) {
  return tensor.defined() ? MaybeTensor(tensor) : std::nullopt;
}

/// Settings of a norm that are not tensors.
struct NormSettings {
  std::int64_t groups;
  double eps;
  bool silu;
};

class TrainableGroupNorm : public torch::autograd::Function<TrainableGroupNorm> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, const torch::Tensor& weight,
                               const torch::Tensor& bias, const MaybeTensor& added, const MaybeTensor& scale,
                               const MaybeTensor& shift, const NormSettings& settings) {
    const GroupNormFusion fusion{added.value_or(torch::Tensor()), scale.value_or(torch::Tensor()),
                                 shift.value_or(torch::Tensor()), settings.silu};
    const auto moments = group_norm::moments_of(x);
    const auto map =
        group_norm::map_of(moments, group_norm::pixels_of(x), {weight, bias, settings.groups, settings.eps}, fusion);
    context->save_for_backward({x, weight, bias, fusion.added, fusion.scale, fusion.shift, moments.origin, moments.sums,
                                map.factor, map.shift, map.centre, map.inverse_std});
    context->saved_data["groups"] = settings.groups;
    context->saved_data["silu"] = settings.silu;
    return group_norm::apply_map(x, {.factor = map.factor, .shift = map.shift, .silu = settings.silu});
  }

  static variable_list backward(AutogradContext* context, const variable_list& outputs) {
    TORCH_CHECK(!torch::GradMode::is_enabled(), "the group norm has no second derivatives");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2];
    const GroupNormFusion fusion{saved[3], saved[4], saved[5], context->saved_data["silu"].toBool()};
    const group_norm::ForwardPass pass{.x = x,
                                       .moments = {saved[6], saved[7]},
                                       .map = {saved[8], saved[9], saved[10], saved[11]},
                                       .silu = fusion.silu};
    const auto gradients = group_norm::gradients_of(pass, outputs[0].contiguous(at::MemoryFormat::ChannelsLast),
                                                    {weight, bias, context->saved_data["groups"].toInt(), 0}, fusion);
    return {gradients.x, gradients.weight, gradients.bias, gradients.added, gradients.scale, gradients.shift, {}};
  }
};

}  // namespace

torch::Tensor trainable_group_norm(const torch::Tensor& x, const GroupNormParameters& parameters,
                                   const GroupNormFusion& fusion) {
  return TrainableGroupNorm::apply(x, parameters.weight, parameters.bias, if_defined(fusion.added),
                                   if_defined(fusion.scale), if_defined(fusion.shift),
                                   NormSettings{parameters.groups, parameters.eps, fusion.silu});
}

}  // namespace sfumato
