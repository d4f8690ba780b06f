#include "training/kinds/vae/vae_objective.h"

#include "training/autocast.h"
#include "training/network_parameters.h"

namespace sfumato {

VaeObjective::VaeObjective(const VaeRecipe& recipe, torch::Device device)
    : vae(AutoencoderKLConfig::from_json(recipe.vae)),
      weights_(recipe.loss),
      freeze_encoder_(recipe.freeze_encoder),
      device_(device),
      bfloat16_(computes_in_bfloat16(recipe.precision, device.type())) {}

void VaeObjective::place() {
  place_for_training(*vae, device_);
  if (!freeze_encoder_) return;
  for (auto& item : vae->named_parameters())
    if (item.key().starts_with("encoder.") || item.key().starts_with("quant_conv.")) item.value().requires_grad_(false);
}

TrainableSet VaeObjective::tensors() {
  return trainable_set(named_parameters_of(*vae, "vae"));
}

torch::Tensor VaeObjective::loss(const Batch& batch) {
  const auto& x = batch.at("images");
  const AutocastScope autocast(device_.type(), bfloat16_);
  const auto posterior = vae->encode(x);
  const auto error = vae->decode(posterior.sample(batch.at("noise"))).to(torch::kFloat32) - x;
  auto loss = weights_.l2_weight * error.square().mean();
  if (weights_.l1_weight > 0) loss = loss + weights_.l1_weight * error.abs().mean();
  if (weights_.kl_weight > 0) {
    const auto values_an_image = static_cast<double>(posterior.mean[0].numel());
    loss = loss + weights_.kl_weight / values_an_image * posterior.kl().mean();
  }
  return loss;
}

}  // namespace sfumato
