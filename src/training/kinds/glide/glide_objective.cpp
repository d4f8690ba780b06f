#include "training/kinds/glide/glide_objective.h"

#include "training/autocast.h"
#include "training/network_parameters.h"
#include "training/variance_loss.h"

namespace sfumato {
namespace {

/// Mean squared error of eps, the first half of `raw`.
torch::Tensor eps_error(const torch::Tensor& raw, const torch::Tensor& noise) {
  return (raw.narrow(1, 0, noise.size(1)) - noise).square().mean();
}

}  // namespace

GLIDEObjective::GLIDEObjective(const GLIDERecipe& recipe, torch::Device device)
    : schedule(ScheduleConfig::from_json(recipe.scheduler)),
      unet(UNet2DConditionModelConfig::from_json(recipe.unet)),
      text_encoder(GLIDETextModelConfig::from_json(recipe.text_encoder)),
      process_(schedule, device),
      bound_(schedule, device),
      vlb_weight_(recipe.vlb_weight),
      device_(device),
      bfloat16_(computes_in_bfloat16(recipe.precision, device.type())) {}

void GLIDEObjective::place() {
  place_for_training(*unet, device_);
  place_for_training(*text_encoder, device_);
}

TrainableSet GLIDEObjective::tensors() {
  auto parameters = named_parameters_of(*unet, "unet");
  for (auto& parameter : named_parameters_of(*text_encoder, "text_encoder")) parameters.push_back(parameter);
  return trainable_set(parameters);
}

torch::Tensor GLIDEObjective::raw_output(const torch::Tensor& xt, const torch::Tensor& t, const torch::Tensor& states,
                                         const torch::Tensor& concat) {
  UNet2DConditionInput input;
  input.sample = concat.defined() ? torch::cat({xt, concat}, 1) : xt;
  input.timestep = t;
  input.encoder_hidden_states = states;
  input.class_labels = states.select(1, -1);  // the last token's, as systems/glide has it
  return unet->forward(input).to(torch::kFloat32);
}

GLIDEObjective::Prediction GLIDEObjective::predict(const Batch& batch) {
  const auto& t = batch.at("t");
  const auto concat = batch.find("concat");
  const AutocastScope autocast(device_.type(), bfloat16_);
  const auto xt = process_.add_noise(batch.at("x0"), batch.at("noise"), t);
  const auto states = text_encoder->forward(batch.at("ids"), batch.at("mask"));  // [N, L, D]
  return {.xt = xt, .raw = raw_output(xt, t, states, concat == batch.end() ? torch::Tensor() : concat->second)};
}

torch::Tensor GLIDEObjective::simple_loss(const Batch& batch) {
  return eps_error(predict(batch).raw, batch.at("noise"));
}

torch::Tensor GLIDEObjective::loss(const Batch& batch) {
  const auto [xt, raw] = predict(batch);
  const auto variance = variance_loss(bound_, batch.at("x0"), xt, raw, batch.at("t"));
  return eps_error(raw, batch.at("noise")) + vlb_weight_ * variance;
}

}  // namespace sfumato
