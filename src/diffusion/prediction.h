#pragma once

#include <string>

#include "diffusion/condition.h"
#include "diffusion/schedule_config.h"

namespace sfumato {

/// What a network's raw output is, for x_t = alpha x0 + sigma eps.
enum class PredictionType {
  epsilon,       ///< eps (Ho et al. 2020)
  v_prediction,  ///< alpha eps - sigma x0 (Salimans & Ho 2022) of data scaled to a standard deviation of 1
  sample,        ///< x0
  flow,          ///< eps - x0 (Lipman et al. 2023)
};

/// By diffusers' names: epsilon, v_prediction, sample, flow_prediction. Throws std::invalid_argument.
PredictionType parse_prediction_type(const std::string& name);

/// How an estimated x0 is kept in range (diffusers' `clip_sample` and `thresholding`); by default not at all.
struct Threshold {
  double clip = 0;           ///< clamps x0 to [-clip, clip]; 0 does not
  double dynamic_ratio = 0;  ///< dynamic thresholding at this quantile of |x0| (Saharia et al. 2022); 0 does not
  double dynamic_max = 1;    ///< the largest range that dynamic thresholding allows
};

/// How raw output becomes an estimate.
struct Prediction {
  PredictionType type = PredictionType::epsilon;
  Threshold threshold = {};
  /// Of v_prediction: (alpha sigma_data)^2 + sigma^2 = 1. 1 where alpha^2 + sigma^2 = 1 (Karras et al. 2022, eq. 7).
  double sigma_data = 1;
  bool negated = false;  ///< the output has the opposite sign, as EDM's, which diffusers calls epsilon

  static Prediction of(const ScheduleConfig& config);
  Prediction without_threshold() const;
};

/// Both halves of x [N, C, ...] from a network's raw output [N, C, ...], or [N, 2C, ...] with a learned variance, in
/// float32 whatever the inputs' dtypes. Throws std::invalid_argument for eps-prediction where alpha = 0: such an x
/// holds no signal to subtract the noise from.
///
/// x0 is thresholded last. eps stays as it was predicted, as in diffusers.
Estimate estimate(const torch::Tensor& raw, const torch::Tensor& x, const Level& level, const Prediction& prediction);

/// x0 [N, ...] thresholded, each image for itself.
torch::Tensor apply_threshold(const torch::Tensor& x0, const Threshold& threshold);

/// Denoiser of a network under one condition, without guidance.
Denoiser make_denoiser(Backbone backbone, Condition condition, const Prediction& prediction);

}  // namespace sfumato
