#include "training/kinds/text_to_image/text_to_image_objective.h"

#include "diffusion/prediction.h"
#include "training/autocast.h"
#include "training/network_parameters.h"

namespace sfumato {
namespace {

/// Min-SNR weight of a noise level for a prediction type (Hang et al. 2023, section 3.4).
torch::Tensor min_snr_weight(PredictionType type, const torch::Tensor& snr, double gamma) {
  const auto capped = snr.clamp_max(gamma);
  if (type == PredictionType::epsilon) return capped / snr.clamp_min(1e-8);
  if (type == PredictionType::v_prediction) return capped / (snr + 1);
  return capped;
}

}  // namespace

TextToImageObjective::TextToImageObjective(const TextToImageRecipe& recipe, torch::Device device)
    : schedule(ScheduleConfig::from_json(recipe.scheduler)),
      unet(UNet2DConditionModelConfig::from_json(recipe.unet)),
      text_encoder(T5EncoderModelConfig::from_json(recipe.text_encoder)),
      process_(schedule, device),
      min_snr_gamma_(recipe.loss.min_snr_gamma),
      device_(device),
      bfloat16_(computes_in_bfloat16(recipe.precision, device.type())) {}

void TextToImageObjective::place() {
  place_for_training(*unet, device_);
  place_for_training(*text_encoder, device_);
}

TrainableSet TextToImageObjective::tensors() {
  auto parameters = named_parameters_of(*unet, "unet");
  for (auto& parameter : named_parameters_of(*text_encoder, "text_encoder")) parameters.push_back(parameter);
  return trainable_set(parameters);
}

torch::Tensor TextToImageObjective::loss(const Batch& batch) {
  const auto type = parse_prediction_type(schedule.config().prediction_type);
  const auto &latents = batch.at("latents"), &noise = batch.at("noise"), &t = batch.at("t");
  const AutocastScope autocast(device_.type(), bfloat16_);
  UNet2DConditionInput input;
  input.sample = process_.add_noise(latents, noise, t);
  input.timestep = t;
  input.encoder_hidden_states = text_encoder->forward(batch.at("ids"));  // [N, L, d_model]
  const auto raw = unet->forward(input).to(torch::kFloat32);             // [N, C, h, w]
  const auto error = (raw - process_.target(type, latents, noise, t)).square();
  if (min_snr_gamma_ <= 0) return error.mean();
  return (error.mean({1, 2, 3}) * min_snr_weight(type, process_.snr(t), min_snr_gamma_)).mean();
}

}  // namespace sfumato
