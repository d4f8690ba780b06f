#include "training/kinds/clip/clip_objective.h"

#include "training/autocast.h"
#include "training/contrastive_loss.h"
#include "training/network_parameters.h"

namespace sfumato {

CLIPObjective::CLIPObjective(const CLIPRecipe& recipe, torch::Device device)
    : clip(recipe.config()), device_(device), bfloat16_(computes_in_bfloat16(recipe.precision, device.type())) {
  if (recipe.noised) process_.emplace(Schedule(ScheduleConfig::from_json(recipe.scheduler)), device);
}

void CLIPObjective::place() {
  place_for_training(*clip, device_);
}

TrainableSet CLIPObjective::tensors() {
  return trainable_set(named_parameters_of(*clip, "clip"));
}

torch::Tensor CLIPObjective::logits(const Batch& batch) {
  torch::Tensor images, texts;
  {
    const AutocastScope autocast(device_.type(), bfloat16_);
    const auto& x0 = batch.at("x0");
    const auto t = process_ ? batch.at("t") : torch::Tensor();
    images = clip->image_features(process_ ? process_->add_noise(x0, batch.at("noise"), t) : x0, t);
    texts = clip->text_features(batch.at("ids"));
  }
  const auto image = unit_length(images.to(torch::kFloat32)), text = unit_length(texts.to(torch::kFloat32));
  return clip->logit_factor() * image.matmul(text.t());
}

torch::Tensor CLIPObjective::loss(const Batch& batch) {
  clip->clamp_logit_scale();
  return contrastive_loss(logits(batch), same_texts(batch.at("ids")));
}

}  // namespace sfumato
