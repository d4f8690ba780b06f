#pragma once

#include <string>

#include "diffusion/condition.h"
#include "diffusion/schedule_config.h"

namespace sfumato {

/// Meaning of a network's raw output, for x_t = alpha x0 + sigma eps.
enum class PredictionType {
  epsilon,       ///< eps (Ho et al. 2020)
  v_prediction,  ///< alpha eps - sigma x0 (Salimans & Ho 2022) of data scaled to a standard deviation of 1
  sample,        ///< x0
  flow,          ///< eps - x0 (Lipman et al. 2023)
};

/// Parses diffusers' names: epsilon, v_prediction, sample, flow_prediction. Throws std::invalid_argument.
PredictionType parse_prediction_type(const std::string& name);

/// Limits on an estimated x0 (diffusers' `clip_sample` and `thresholding`); none by default.
struct Threshold {
  double clip = 0;           ///< clamps x0 to [-clip, clip]; 0 disables it
  double dynamic_ratio = 0;  ///< quantile of |x0| for dynamic thresholding (Saharia et al. 2022); 0 disables it
  double dynamic_max = 1;    ///< largest range that dynamic thresholding permits

  bool limits() const { return clip > 0 || dynamic_ratio > 0; }
};

/// Conversion of raw output to an estimate.
struct Prediction {
  PredictionType type = PredictionType::epsilon;
  Threshold threshold = {};
  /// For v_prediction: (alpha sigma_data)^2 + sigma^2 = 1. 1 if alpha^2 + sigma^2 = 1 (Karras et al. 2022, eq. 7).
  double sigma_data = 1;
  bool negated = false;  ///< the output has the opposite sign, as in EDM, called epsilon in diffusers

  static Prediction of(const ScheduleConfig& config);
  Prediction without_threshold() const;
};

/// Estimates both parts of x [N, C, ...] from a network's raw output [N, C, ...], or [N, 2C, ...] with a learned
/// variance, in float32 for any dtypes. Throws std::invalid_argument for eps-prediction at alpha = 0: such an x
/// contains no signal from which to subtract the noise.
///
/// Thresholds x0 last. eps remains as predicted, as in diffusers.
Estimate estimate(const torch::Tensor& raw, const torch::Tensor& x, const Level& level, const Prediction& prediction);

/// Thresholds x0 [N, ...], each image separately.
torch::Tensor apply_threshold(const torch::Tensor& x0, const Threshold& threshold);

/// Returns the denoiser of a network under one condition, without guidance.
Denoiser make_denoiser(Backbone backbone, Condition condition, const Prediction& prediction);

}  // namespace sfumato
