#pragma once

#include "diffusion/process.h"
#include "diffusion/schedule.h"
#include "diffusion/variational_bound.h"
#include "models/unet_2d_model.h"
#include "training/kinds/unconditional/unconditional_recipe.h"
#include "training/objective.h"

namespace sfumato {

/// Denoises by a UNet2DModel with L_simple (Ho et al. 2020, eq. 14) or, with a weight of the bound, L_hybrid = L_simple
/// + lambda L_vlb (Nichol & Dhariwal 2021, eq. 16). The bound then trains only the variance: its gradient stops at the
/// mean. As in the improved DDPM code, L_vlb is T times the term of the row's timestep, in bits per dimension.
/// Batch: "x0" and "noise" float32 [N, C, H, W], "t" int64 [N], and "class_labels" int64 [N] with a class embedding.
class UnconditionalObjective : public Objective {
 public:
  /// Allocates the weights without filling or placing them.
  UnconditionalObjective(const UnconditionalRecipe& recipe, torch::Device device);
  /// Moves the network to the device, ready for training.
  void place();

  TrainableSet tensors() override;
  torch::Tensor loss(const Batch& batch) override;
  /// Returns L_simple alone.
  torch::Tensor simple_loss(const Batch& batch);

  Schedule schedule;
  ForwardProcess process;
  UNet2DModel unet;

 private:
  /// Returns the network's output at x_t, [N, out_channels, H, W] float32.
  torch::Tensor raw_output(const Batch& batch, const torch::Tensor& xt);
  torch::Tensor simple_loss(const Batch& batch, const torch::Tensor& raw) const;

  VariationalBound bound_;
  double vlb_weight_;
  torch::Device device_;
  bool bfloat16_;
};

}  // namespace sfumato
