#include "kernels/group_norm.h"

#include <algorithm>

#include "kernels/cuda_inference.h"
#include "kernels/group_norm_loops.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "kernels/plain_inference.h"

namespace sfumato {
namespace {

using Tensor = torch::Tensor;

// Pixels whose moments are summed in float32, before they are added up in float64.
constexpr std::int64_t kChunk = 256;

std::int64_t chunks_of(const Tensor& x) {
  return (x.size(2) * x.size(3) + kChunk - 1) / kChunk;
}

/// Calls function(image, chunk, first pixel of x [N H W, C], number of pixels) for each chunk of each image.
template <class Function>
void for_chunks(const Tensor& x, const Function& function) {
  const auto chunks = chunks_of(x), pixels = x.size(2) * x.size(3);
  parallel_for(x.size(0) * chunks, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto image = i / chunks, chunk = i % chunks, first = chunk * kChunk;
      function(image, chunk, image * pixels + first, std::min(kChunk, pixels - first));
    }
  });
}

/// Sums of x - origin and of its square over each image's pixels, float64 [N, 2, C]. origin, float32 [N, C], is each
/// image's first pixel, which keeps the squares of values far from zero from cancelling.
template <class T>
Tensor moments(const Tensor& x, const Tensor& origin) {
  const auto channels = x.size(1);
  const auto partial = torch::zeros({x.size(0), chunks_of(x), 2, channels}, torch::kFloat32);
  const auto* from = x.const_data_ptr<T>();
  for_chunks(x, [&](std::int64_t image, std::int64_t chunk, std::int64_t first, std::int64_t count) {
    auto* sums = partial.mutable_data_ptr<float>() + (image * partial.size(1) + chunk) * 2 * channels;
    group_norm::add_moments(from + first * channels, count, channels, origin.const_data_ptr<float>() + image * channels,
                            sums, sums + channels);
  });
  return partial.sum(1, /*keepdim=*/false, torch::kFloat64);
}

NormAffine affine_of(const Tensor& moments, const Tensor& origin, std::int64_t pixels,
                     const GroupNormParameters& parameters, const GroupNormFusion& fusion) {
  const auto in_groups = [&](const Tensor& rows) { return rows.unflatten(1, {parameters.groups, -1}); };
  const auto exact = [](const Tensor& tensor) { return tensor.to(torch::kFloat64); };
  const auto sums = in_groups(moments.select(1, 0)), squares = in_groups(moments.select(1, 1));  // [N, groups, width]
  const auto count = static_cast<double>(pixels);
  const auto zero = in_groups(exact(fusion.added.defined() ? origin + fusion.added.to(torch::kFloat32) : origin));
  const auto mean = (sums / count + zero).mean(2, /*keepdim=*/true);
  const auto offset = zero - mean;
  const auto variance = ((squares + 2 * offset * sums) / count + offset.square()).mean(2, /*keepdim=*/true);
  auto factor = (variance.clamp_min(0) + parameters.eps).rsqrt() * in_groups(exact(parameters.weight).unsqueeze(0));
  const auto added = fusion.added.defined() ? in_groups(exact(fusion.added)) : torch::zeros_like(mean);
  auto shift = (added - mean) * factor + in_groups(exact(parameters.bias).unsqueeze(0));
  if (fusion.scale.defined()) {
    factor = factor * (1 + in_groups(exact(fusion.scale)));
    shift = shift * (1 + in_groups(exact(fusion.scale))) + in_groups(exact(fusion.shift));
  }
  const auto as_rows = [](const Tensor& rows) { return rows.flatten(1).to(torch::kFloat32).contiguous(); };
  return {.factor = as_rows(factor), .shift = as_rows(shift), .silu = fusion.silu};
}

template <class T>
NormAffine affine_from(const Tensor& x, const GroupNormParameters& parameters, const GroupNormFusion& fusion) {
  const auto origin = x.select(3, 0).select(2, 0).to(torch::kFloat32).contiguous();
  return affine_of(moments<T>(x, origin), origin, x.size(2) * x.size(3), parameters, fusion);
}

template <class T>
Tensor normalise(const Tensor& x, const NormAffine& affine) {
  const auto channels = x.size(1);
  auto y = torch::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  const auto* from = x.const_data_ptr<T>();
  auto* to = y.mutable_data_ptr<T>();
  const auto *factors = affine.factor.const_data_ptr<float>(), *shifts = affine.shift.const_data_ptr<float>();
  for_chunks(x, [&](std::int64_t image, std::int64_t, std::int64_t first, std::int64_t count) {
    const group_norm::Affine of_image{factors + image * channels, shifts + image * channels, affine.silu};
    group_norm::apply(from + first * channels, count, channels, of_image, to + first * channels);
  });
  return y;
}

std::optional<Tensor> cpu_group_norm(const Tensor& x, const GroupNormParameters& parameters,
                                     const GroupNormFusion& fusion) {
  const auto affine = group_norm_affine(x, parameters, fusion);
  if (!affine) return std::nullopt;
  return x.scalar_type() == torch::kFloat32 ? normalise<float>(x, *affine) : normalise<at::BFloat16>(x, *affine);
}

}  // namespace

std::optional<NormAffine> group_norm_affine(const Tensor& x, const GroupNormParameters& parameters,
                                            const GroupNormFusion& fusion) {
  if (x.dim() != 4 || x.numel() == 0 || !x.is_contiguous(at::MemoryFormat::ChannelsLast)) return std::nullopt;
  if (x.size(1) % lanes::kLane != 0) return std::nullopt;
  if (is_plain_inference(x)) return affine_from<float>(x, parameters, fusion);
  if (is_bfloat16_inference(x)) return affine_from<at::BFloat16>(x, parameters, fusion);
  return std::nullopt;
}

std::optional<Tensor> fused_group_norm(const Tensor& x, const GroupNormParameters& parameters,
                                       const GroupNormFusion& fusion) {
  return x.is_cuda() ? cuda_group_norm(x, parameters, fusion) : cpu_group_norm(x, parameters, fusion);
}

}  // namespace sfumato
