#pragma once

#include "diffusion/process.h"
#include "diffusion/schedule.h"
#include "diffusion/variational_bound.h"
#include "models/glide_text_model.h"
#include "models/unet_2d_condition_model.h"
#include "training/kinds/glide/glide_recipe.h"
#include "training/objective.h"

namespace sfumato {

/// Denoising by GLIDE's UNet, trained with its text transformer on L_hybrid (Nichol & Dhariwal 2021, eq. 16).
/// Batch: "x0" and "noise" float32 [N, C, h, w], "t" int64 [N], "ids" int64 and "mask" bool [N, L] and, where the UNet
/// receives more than x, "concat" [N, C', h, w].
class GLIDEObjective : public Objective {
 public:
  /// The weights are allocated and neither filled nor placed.
  GLIDEObjective(const GLIDERecipe& recipe, torch::Device device);
  /// Moves the networks to the device, ready to be trained.
  void place();

  TrainableSet tensors() override;
  torch::Tensor loss(const Batch& batch) override;
  /// L_simple alone.
  torch::Tensor simple_loss(const Batch& batch);
  /// The network's raw output [N, 2C, h, w] at x_t and timesteps [N] or [1], under states [N, L, D] of the text.
  torch::Tensor raw_output(const torch::Tensor& xt, const torch::Tensor& t, const torch::Tensor& states,
                           const torch::Tensor& concat);

  Schedule schedule;
  UNet2DConditionModel unet;
  GLIDETextModel text_encoder;

 private:
  /// x_t of a batch, and the raw output there.
  struct Prediction {
    torch::Tensor xt, raw;
  };
  Prediction predict(const Batch& batch);

  ForwardProcess process_;
  VariationalBound bound_;
  double vlb_weight_;
  torch::Device device_;
  bool bfloat16_;
};

}  // namespace sfumato
