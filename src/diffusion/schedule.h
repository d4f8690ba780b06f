#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/denoiser.h"
#include "diffusion/schedule_config.h"

namespace sfumato {

struct ContinuousProcess;

/// Noise levels of a process x_t = alpha x0 + sigma eps, in float64: of every timestep, from betas (Ho et al. 2020,
/// eq. 4: alpha = sqrt(alphas_cumprod), sigma = sqrt(1 - alphas_cumprod)), or of a continuous process.
///
/// Functions of timesteps and betas throw std::invalid_argument for a continuous process, which has none.
class Schedule {
 public:
  /// Throws std::invalid_argument for an invalid config.
  explicit Schedule(ScheduleConfig config = {});

  const ScheduleConfig& config() const { return config_; }
  std::int64_t num_train_timesteps() const { return config_.num_train_timesteps; }
  /// Returns null for a process of betas.
  const ContinuousProcess* continuous() const { return continuous_; }
  /// Values at index t, [num_train_timesteps] each.
  const std::vector<double>& betas() const { return of_timesteps(betas_); }
  const std::vector<double>& alphas_cumprod() const { return of_timesteps(alphas_cumprod_); }

  /// Returns the level at timestep t, exact at integers. Between them log(sigma / alpha) is linear in t; `t_at` is
  /// the inverse. Below 0 it is `final_level()`. Throws std::invalid_argument above num_train_timesteps - 1.
  Level level_at(double t) const;

  /// Returns the end of DDIM: alpha = 1 (t = 0, although no network is evaluated there), or the level of timestep 0 if
  /// set_alpha_to_one is false. A continuous process ends clean.
  Level final_level() const;

  /// Returns the real-valued timestep in [0, num_train_timesteps - 1] whose sigma / alpha is `ratio` (`_sigma_to_t` of
  /// diffusers' EulerDiscreteScheduler); ratios outside the schedule give its ends.
  double t_at(double ratio) const;

  /// Returns the level whose sigma / alpha is `ratio`. For betas, its timestep is `t_at` and alpha^2 + sigma^2 = 1.
  Level level_of_ratio(double ratio) const;

  /// Returns sigma / alpha at every timestep, rising: the noise scale of the variance-exploding samplers. The last is
  /// computed with alphas_cumprod = 2^-24 if rescale_betas_zero_snr would make it infinite, as in diffusers.
  const std::vector<double>& ratios() const { return of_timesteps(ratios_); }

 private:
  const std::vector<double>& of_timesteps(const std::vector<double>& table) const;

  ScheduleConfig config_;
  const ContinuousProcess* continuous_;
  std::vector<double> betas_, alphas_cumprod_, ratios_;
};

/// Returns x_t of q(x_t | x0) = alpha x0 + sigma noise (Ho et al. 2020, eq. 4) in float32; shapes must be equal.
torch::Tensor add_noise(const torch::Tensor& x0, const torch::Tensor& noise, const Level& level);

}  // namespace sfumato
