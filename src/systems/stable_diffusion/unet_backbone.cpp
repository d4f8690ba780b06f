#include "systems/stable_diffusion/unet_backbone.h"

#include <set>
#include <stdexcept>

#include "nn/attention_watch.h"
#include "nn/identity_attention.h"

namespace sfumato {
namespace {

/// Returns the UNet's input at x [N, C, h, w]. `perturbed` are the layers with identity attention in the marked rows,
/// which come last.
UNet2DConditionInput input_of(const Job& job, const torch::Tensor& x, const Evaluation& evaluation,
                              const Condition& condition, const std::set<const AttentionImpl*>& perturbed) {
  UNet2DConditionInput input;
  const auto sample = condition.concat.defined() ? torch::cat({x, condition.concat}, 1) : x;
  input.sample = sample.to(job.model.placement.dtype);
  input.timestep = torch::full({1}, evaluation.level.t, torch::dtype(torch::kFloat32).device(x.device()));
  input.encoder_hidden_states = condition.encoder_hidden_states;
  if (const auto& layers = condition.text_keys_values; !layers.empty())  // those of ControlNets follow
    input.text_keys_values = {layers.begin(),
                              layers.begin() + static_cast<std::ptrdiff_t>(job.model.unet->text_layers())};
  input.timestep_cond = condition.timestep_cond;
  input.text_embeds = condition.text_embeds;
  input.time_ids = condition.time_ids;
  if (condition.perturbed.defined())
    input.identity = {.layers = perturbed, .rows = condition.perturbed.sum().item<std::int64_t>()};
  return input;
}

/// Returns the self-attention layer of the UNet's middle, as in diffusers' StableDiffusionSAGPipeline.
const AttentionImpl* middle_layer(const StableDiffusion& model) {
  const auto* layer = find_self_attention(*model.unet, "mid_block.attentions.0.transformer_blocks.0.attn1");
  if (layer == nullptr)
    throw std::invalid_argument(
        "sag scale: expected 0 with this model, whose UNet has no self-attention in its middle");
  return layer;
}

}  // namespace

GuidedDenoiser::Networks unet_backbone(const Job& job, const Control& control) {
  std::set<const AttentionImpl*> perturbed;
  if (job.request.pag_scale > 0) perturbed = self_attention_layers(*job.model.unet, job.request.pag_layers);
  const auto forward = [&job, &control, perturbed](const torch::Tensor& x, const Evaluation& evaluation,
                                                   const Condition& condition, const AttentionWatch& watch) {
    auto input = input_of(job, x, evaluation, condition, perturbed);
    input.watch = watch;
    control.add_residuals(input, evaluation, condition);
    return job.model.predict(input);  // [N, C, h, w]
  };
  GuidedDenoiser::Networks networks{
      .backbone = [forward](const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition) {
        return forward(x, evaluation, condition, {});
      }};
  if (job.request.sag_scale == 0) return networks;
  networks.attending = [forward, layer = middle_layer(job.model)](const torch::Tensor& x, const Evaluation& evaluation,
                                                                  const Condition& condition, std::int64_t rows) {
    const AttentionWatch watch{.layer = layer, .rows = rows, .received = std::make_shared<torch::Tensor>()};
    const auto output = forward(x, evaluation, condition, watch);
    return Attended{.output = output, .received = *watch.received};
  };
  return networks;
}

}  // namespace sfumato
