#pragma once

#include <torch/torch.h>

#include "diffusion/prediction.h"
#include "diffusion/schedule.h"

namespace sfumato {

/// Returns a table's values at `timesteps` int64 [N], shaped [N, 1, 1, ...] to multiply `like` [N, ...].
torch::Tensor at_timesteps(const torch::Tensor& table, const torch::Tensor& timesteps, const torch::Tensor& like);

/// Forward process for training: each image of a batch has its own timestep. Computes on one device without
/// synchronisation. `timesteps` are int64 [N] in 0..num_train_timesteps - 1 on that device; tensors [N, ...].
class ForwardProcess {
 public:
  ForwardProcess(const Schedule& schedule, torch::Device device);

  /// Returns alpha x0 + sigma noise, float32 (Ho et al. 2020, eq. 4; diffusers' `add_noise`).
  torch::Tensor add_noise(const torch::Tensor& x0, const torch::Tensor& noise, const torch::Tensor& timesteps) const;

  /// Returns alpha noise - sigma x0, float32 (Salimans & Ho 2022; diffusers' `get_velocity`).
  torch::Tensor velocity(const torch::Tensor& x0, const torch::Tensor& noise, const torch::Tensor& timesteps) const;

  /// Returns the training target of a network with this prediction type.
  torch::Tensor target(PredictionType type, const torch::Tensor& x0, const torch::Tensor& noise,
                       const torch::Tensor& timesteps) const;

  /// Returns the signal-to-noise ratio alpha^2 / sigma^2, float32 [N].
  torch::Tensor snr(const torch::Tensor& timesteps) const;

 private:
  torch::Tensor alphas_, sigmas_;  // [num_train_timesteps] float32
};

}  // namespace sfumato
