#include "systems/glide/stage.h"

#include <utility>

#include "diffusion/guided_denoiser.h"
#include "diffusion/prediction.h"

namespace sfumato {
namespace {

Condition with_concat(Condition condition, const torch::Tensor& concat) {
  condition.concat = concat;
  return condition;
}

/// Replaces the estimate of x0 by its known values, and derives the eps of x = alpha x0 + sigma eps.
Estimate settled(Estimate estimate, const torch::Tensor& x, const Level& level, const GLIDEInputs& inputs) {
  if (inputs.mask.defined()) estimate.x0 = estimate.x0 * (1 - inputs.mask) + inputs.known * inputs.mask;
  estimate.eps = (x - level.alpha * estimate.x0) / level.sigma;
  return estimate;
}

torch::Tensor rounded_to_8_bits(const torch::Tensor& x0) {
  return ((x0 + 1) * 127.5).round() / 127.5 - 1;
}

/// Returns `on_step` with the steps of the whole job counted, after the first `done`.
OnStep counted(const OnStep& on_step, const GLIDEJob& job, std::size_t done) {
  return [&on_step, all = static_cast<int>(job.steps()), done = static_cast<int>(done)](
             int step, int, const torch::Tensor& x) { return !on_step || on_step(done + step, all, x); };
}

/// Guidance of the base model by CLIP. The sampler ddpm draws with the network's variance, which is Sigma of eq. 4.
GradientGuidance clip_guidance(const GLIDE& model, const GLIDEJob& job) {
  const auto& chain = job.base;
  const GuidedTexts texts{.distinct = {job.request.prompt}, .of_step = std::vector<std::size_t>(chain.steps.size(), 0)};
  return {.value = clip_value(job.clip, texts, guided_space(model, model.base)),
          .scale = job.request.clip_scale,
          .steps = chain.steps,
          .learned_variance = chain.sampler.name == "ddpm" && chain.options.variance_type == "learned_range"};
}

}  // namespace

Condition encode_text(const GLIDE& model, const GLIDEStage& stage, const std::string& text) {
  const auto tokens = model.tokenizer->encode(text);
  const auto ids = torch::tensor(tokens.ids, torch::kInt64).unsqueeze(0);     // [1, L]
  const auto mask = torch::arange(ids.size(1)).unsqueeze(0) < tokens.length;  // false at padding
  const auto device = model.placement.device;
  const auto states = stage.text_encoder->forward(ids.to(device), mask.to(device));  // [1, L, D]
  return {.encoder_hidden_states = states, .text_keys_values = stage.unet->text_keys_values(states)};
}

torch::Tensor GLIDEInputs::concat(const GLIDEStage& stage, std::int64_t count) const {
  std::vector<torch::Tensor> parts;
  if (mask.defined()) {
    parts.push_back((known * mask).expand({count, -1, -1, -1}));
    parts.push_back(mask.expand({count, -1, -1, -1}));
  }
  if (low_res.defined())
    parts.push_back(torch::upsample_bilinear2d(low_res, {stage.side(), stage.side()}, /*align_corners=*/false));
  return parts.empty() ? torch::Tensor() : torch::cat(parts, 1);  // [N, C', h, w]
}

Backbone glide_backbone(const GLIDEStage& stage) {
  return [&stage](const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition) {
    UNet2DConditionInput input;
    input.sample = condition.concat.defined() ? torch::cat({x, condition.concat}, 1) : x;
    input.timestep = torch::full({1}, evaluation.level.t, torch::dtype(torch::kFloat32).device(x.device()));
    input.encoder_hidden_states = condition.encoder_hidden_states;
    input.text_keys_values = condition.text_keys_values;
    input.class_labels = condition.encoder_hidden_states.select(1, -1);
    return stage.predict(input);
  };
}

Denoiser glide_denoiser(const GLIDE& model, const GLIDEStage& stage, const GLIDEInputs& inputs,
                        const GLIDERequest& request, std::size_t steps) {
  const auto count = request.batch_count;
  const auto concat = inputs.concat(stage, count);
  const auto condition = [&](const std::string& text) {
    return with_concat(repeat_interleave(encode_text(model, stage, text), count), concat);
  };
  const double scale = (&stage == &model.base ? request.base : request.upsample).guidance_scale;
  GuidanceTerms<Condition> terms{.positives = {condition(request.prompt)}};
  if (is_guided(scale)) terms.negative = condition(request.negative_prompt);
  Denoiser denoise = GuidedDenoiser({.backbone = glide_backbone(stage)},
                                    {.distinct = {terms}, .of_step = std::vector<std::size_t>(steps, 0)},
                                    {.scale = scale}, Prediction::of(stage.schedule.config()), steps);
  if (inputs.gradient) denoise = guided_by_gradient(std::move(denoise), *inputs.gradient);
  return [denoise, inputs](const torch::Tensor& x, const Evaluation& evaluation) {
    return settled(denoise(x, evaluation), x, evaluation.level, inputs);
  };
}

GuidedSpace guided_space(const GLIDE& model, const GLIDEStage& stage) {
  return {.schedule = stage.schedule,
          .channels = stage.channels(),
          .height = stage.side(),
          .width = stage.side(),
          .decode = [&model](const torch::Tensor& x0) { return model.first_stage.decode(x0); }};
}

torch::Tensor sample_base(const GLIDE& model, const GLIDEJob& job, GLIDEInputs inputs, NoiseSource& noise,
                          const OnStep& on_step) {
  if (job.clip) inputs.gradient = clip_guidance(model, job);
  const auto denoise = glide_denoiser(model, model.base, inputs, job.request, job.base.steps.size());
  const auto start = noise.draw(model.base.shape()) * job.base.noise_scale;  // [N, C, h, w]
  return run_chain(job.base, denoise, {.x = start, .noise = noise, .device = model.placement.device},
                   counted(on_step, job, 0));
}

torch::Tensor sample_upsampler(const GLIDE& model, const GLIDEJob& job, GLIDEInputs inputs, NoiseSource& noise,
                               const OnStep& on_step) {
  const auto& chain = *job.upsample;
  if (model.first_stage.is_pixels()) inputs.low_res = rounded_to_8_bits(inputs.low_res);
  const auto denoise = glide_denoiser(model, *model.upsampler, inputs, job.request, chain.steps.size());
  const auto start = noise.draw(model.upsampler->shape()) * (chain.noise_scale * job.request.upsample_temp);
  return run_chain(chain, denoise, {.x = start, .noise = noise, .device = model.placement.device},
                   counted(on_step, job, job.base.steps.size()));
}

}  // namespace sfumato
