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

/// Known values of x0 in place of the estimate's, and the eps of x = alpha x0 + sigma eps.
Estimate settled(Estimate estimate, const torch::Tensor& x, const Level& level, const GLIDEInputs& inputs) {
  if (inputs.mask.defined()) estimate.x0 = estimate.x0 * (1 - inputs.mask) + inputs.known * inputs.mask;
  estimate.eps = (x - level.alpha * estimate.x0) / level.sigma;
  return estimate;
}

}  // namespace

Condition encode_texts(const GLIDE& model, const GLIDEStage& stage, const std::vector<std::string>& texts) {
  std::vector<torch::Tensor> ids, masks;
  for (const auto& text : texts) {
    const auto tokens = model.tokenizer->encode(text);
    ids.push_back(torch::tensor(tokens.ids, torch::kInt64));
    masks.push_back(torch::arange(static_cast<std::int64_t>(tokens.ids.size())) < tokens.length);
  }
  const auto device = model.placement.device;
  return {.encoder_hidden_states = stage.text_encoder->forward(torch::stack(ids).to(device),  // [N, L, D]
                                                               torch::stack(masks).to(device))};
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
    input.class_labels = condition.encoder_hidden_states.select(1, -1);
    return stage.unet->forward(input);
  };
}

Denoiser glide_denoiser(const GLIDE& model, const GLIDEStage& stage, const GLIDEInputs& inputs,
                        const GLIDERequest& request, std::size_t steps) {
  const auto count = request.batch_count;
  const auto concat = inputs.concat(stage, count);
  const auto condition = [&](const std::string& text) {
    return with_concat(encode_texts(model, stage, std::vector(static_cast<std::size_t>(count), text)), concat);
  };
  const double scale = (&stage == &model.base ? request.base : request.upsample).guidance_scale;
  GuidanceTerms<Condition> terms{.positives = {condition(request.prompt)}};
  if (is_guided(scale)) terms.negative = condition(request.negative_prompt);
  const GuidedDenoiser denoise({.backbone = glide_backbone(stage)},
                               {.distinct = {terms}, .of_step = std::vector<std::size_t>(steps, 0)}, {.scale = scale},
                               Prediction::of(stage.schedule.config()), steps);
  return [denoise, inputs](const torch::Tensor& x, const Evaluation& evaluation) {
    return settled(denoise(x, evaluation), x, evaluation.level, inputs);
  };
}

}  // namespace sfumato
