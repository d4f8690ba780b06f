#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "diffusion/prediction.h"
#include "diffusion/schedule.h"

namespace sfumato {

/// Returns the KL divergence of Gaussians N(mean1, exp(log_variance1)) from N(mean2, exp(log_variance2)), elementwise,
/// in nats. Shapes broadcast.
torch::Tensor normal_kl(const torch::Tensor& mean1, const torch::Tensor& log_variance1, const torch::Tensor& mean2,
                        const torch::Tensor& log_variance2);

/// Returns the log-likelihood in nats, elementwise, of 8-bit values `x`, scaled to [-1, 1], under a Gaussian of std
/// exp(log_scale). Each of the 256 levels collects density from the interval around it, the outermost from all
/// values beyond (Ho et al. 2020, eq. 13). The normal distribution function is the tanh approximation of the
/// improved DDPM code.
torch::Tensor discretized_gaussian_log_likelihood(const torch::Tensor& x, const torch::Tensor& mean,
                                                  const torch::Tensor& log_scale);

/// Variational bound on the negative log-likelihood (Ho et al. 2020, eq. 5; Nichol & Dhariwal 2021, section 3) of a
/// process with its network's predictions, in bits per dimension. Computed in float32 on one device; tensors are
/// [N, C, H, W], timesteps int64 [N] on that device.
class VariationalBound {
 public:
  /// The model's variance is the schedule's variance_type: fixed_small, fixed_small_log, fixed_large or learned_range.
  /// `clip` clamps the predicted x0 to [-clip, clip]; 0 disables it. Throws std::invalid_argument for another variance.
  VariationalBound(const Schedule& schedule, torch::Device device, double clip = 0);

  /// Returns term t of each row, [N]: the KL divergence of q(x_{t-1} | x_t, x0) from p(x_{t-1} | x_t) or, at t = 0, the
  /// negative log-likelihood of the decoder. `raw` is the network's output: [N, C, H, W], or [N, 2C, H, W] with a
  /// learned variance.
  torch::Tensor term(const torch::Tensor& x0, const torch::Tensor& xt, const torch::Tensor& raw,
                     const torch::Tensor& t) const;

  /// Returns the KL divergence of q(x_T | x0) from the standard normal, [N].
  torch::Tensor prior(const torch::Tensor& x0) const;

  /// Returns T.
  std::int64_t timesteps() const { return alphas_.size(0); }

  /// Returns the prediction of x0, clamped, [N, C, H, W].
  torch::Tensor predicted_x0(const torch::Tensor& xt, const torch::Tensor& raw, const torch::Tensor& t) const;

 private:
  /// Returns the log of the model's variance.
  torch::Tensor log_variance(const torch::Tensor& xt, const torch::Tensor& raw, const torch::Tensor& t) const;

  PredictionType type_;
  double clip_;
  bool learned_;
  torch::Tensor alphas_, sigmas_;                     // [T] of x_t = alpha x0 + sigma eps
  torch::Tensor on_x0_, on_xt_;                       // [T] the posterior's mean, Ho et al. 2020, eq. 7
  torch::Tensor posterior_log_variance_, log_betas_;  // [T]
  torch::Tensor fixed_log_variance_;                  // [T] of the model without learned_range
};

}  // namespace sfumato
