#include "training/kinds/unconditional/unconditional_objective.h"

#include "training/autocast.h"
#include "training/network_parameters.h"
#include "training/variance_loss.h"

namespace sfumato {

UnconditionalObjective::UnconditionalObjective(const UnconditionalRecipe& recipe, torch::Device device)
    : schedule(ScheduleConfig::from_json(recipe.scheduler)),
      process(schedule, device),
      unet(UNet2DModelConfig::from_json(recipe.unet)),
      bound_(schedule, device),
      vlb_weight_(recipe.vlb_weight),
      device_(device),
      bfloat16_(computes_in_bfloat16(recipe.precision, device.type())) {}

void UnconditionalObjective::place() {
  place_for_training(*unet, device_);
}

TrainableSet UnconditionalObjective::tensors() {
  return trainable_set(named_parameters_of(*unet, "unet"));
}

torch::Tensor UnconditionalObjective::raw_output(const Batch& batch, const torch::Tensor& xt) {
  const AutocastScope autocast(device_.type(), bfloat16_);
  const auto labels = batch.find("class_labels");
  const auto raw = unet->forward(xt, batch.at("t"), labels == batch.end() ? torch::Tensor() : labels->second);
  return raw.to(torch::kFloat32);
}

torch::Tensor UnconditionalObjective::simple_loss(const Batch& batch, const torch::Tensor& raw) const {
  const auto& x0 = batch.at("x0");
  const auto type = parse_prediction_type(schedule.config().prediction_type);
  const auto target = process.target(type, x0, batch.at("noise"), batch.at("t"));
  return (raw.narrow(1, 0, x0.size(1)) - target).square().mean();
}

torch::Tensor UnconditionalObjective::simple_loss(const Batch& batch) {
  return simple_loss(batch, raw_output(batch, process.add_noise(batch.at("x0"), batch.at("noise"), batch.at("t"))));
}

torch::Tensor UnconditionalObjective::loss(const Batch& batch) {
  const auto &x0 = batch.at("x0"), &t = batch.at("t");
  const auto xt = process.add_noise(x0, batch.at("noise"), t);
  const auto raw = raw_output(batch, xt);
  const auto simple = simple_loss(batch, raw);
  return vlb_weight_ == 0 ? simple : simple + vlb_weight_ * variance_loss(bound_, x0, xt, raw, t);
}

}  // namespace sfumato
