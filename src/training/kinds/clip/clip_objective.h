#pragma once

#include <optional>

#include "diffusion/process.h"
#include "models/clip_model.h"
#include "training/kinds/clip/clip_recipe.h"
#include "training/objective.h"

namespace sfumato {

/// Contrasts images with their captions (contrastive_loss). Rows with the same caption are all positives of each other.
/// Batch: "x0" float32 [N, C, h, w], "ids" int64 [N, L] and, of a noised model, "noise" as x0 and "t" int64 [N].
class CLIPObjective : public Objective {
 public:
  /// Allocates the weights without filling or placing them.
  CLIPObjective(const CLIPRecipe& recipe, torch::Device device);
  /// Moves the networks to the device, ready to be trained.
  void place();

  TrainableSet tensors() override;
  /// Clamps the temperature first (CLIPModelImpl::clamp_logit_scale), which the last update may have moved.
  torch::Tensor loss(const Batch& batch) override;
  /// Returns the logits of each image and each caption, [N, N] float32.
  torch::Tensor logits(const Batch& batch);

  CLIPModel clip;

 private:
  std::optional<ForwardProcess> process_;
  torch::Device device_;
  bool bfloat16_;
};

}  // namespace sfumato
