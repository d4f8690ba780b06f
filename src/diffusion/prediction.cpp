#include "diffusion/prediction.h"

#include <stdexcept>
#include <utility>

namespace sfumato {

PredictionType parse_prediction_type(const std::string& name) {
  if (name == "epsilon") return PredictionType::epsilon;
  if (name == "v_prediction") return PredictionType::v_prediction;
  if (name == "sample") return PredictionType::sample;
  if (name == "flow_prediction") return PredictionType::flow;
  throw std::invalid_argument("prediction_type is '" + name +
                              "', expected epsilon, v_prediction, sample or flow_prediction");
}

Prediction Prediction::of(const ScheduleConfig& config) {
  Prediction prediction{.type = parse_prediction_type(config.prediction_type), .negated = config.flow.invert_sigmas};
  if (config.process == "edm")
    prediction = {.type = PredictionType::v_prediction,
                  .sigma_data = config.sigma_data,
                  .negated = config.prediction_type == "epsilon"};
  if (config.thresholding) {
    prediction.threshold.dynamic_ratio = config.dynamic_thresholding_ratio;
    prediction.threshold.dynamic_max = config.sample_max_value;
  } else if (config.clip_sample) {
    prediction.threshold.clip = config.clip_sample_range;
  }
  return prediction;
}

Prediction Prediction::without_threshold() const {
  auto prediction = *this;
  prediction.threshold = {};
  return prediction;
}

Estimate estimate(const torch::Tensor& raw, const torch::Tensor& x, const Level& level, const Prediction& prediction) {
  Estimate result;
  auto output = raw.to(torch::kFloat32);
  const auto channels = x.size(1);
  if (output.size(1) == 2 * channels) {
    result.variance = output.narrow(1, channels, channels);
    output = output.narrow(1, 0, channels);
  }
  TORCH_CHECK(output.sizes() == x.sizes(), "the network gave ", raw.sizes(), " for x of ", x.sizes());
  if (prediction.negated) output = -output;
  const auto xt = x.to(torch::kFloat32);
  const double alpha = level.alpha, sigma = level.sigma, data = prediction.sigma_data;
  switch (prediction.type) {
    case PredictionType::epsilon:
      if (alpha == 0) {
        throw std::invalid_argument(
            "prediction_type epsilon cannot start from alpha = 0 (rescale_betas_zero_snr): "
            "v_prediction, sample or flow_prediction can");
      }
      result.x0 = (xt - sigma * output) / alpha;
      result.eps = output;
      break;
    case PredictionType::v_prediction:
      result.x0 = data * data * alpha * xt - data * sigma * output;
      result.eps = data * alpha * output + sigma * xt;
      break;
    case PredictionType::sample:
      result.x0 = output;
      result.eps = (xt - alpha * output) / sigma;
      break;
    case PredictionType::flow:
      result.x0 = (xt - sigma * output) / (alpha + sigma);
      result.eps = (xt + alpha * output) / (alpha + sigma);
      break;
  }
  result.x0 = apply_threshold(result.x0, prediction.threshold);
  return result;
}

torch::Tensor apply_threshold(const torch::Tensor& x0, const Threshold& threshold) {
  if (threshold.dynamic_ratio > 0) {
    std::vector<std::int64_t> shape(x0.dim(), 1);
    shape[0] = x0.size(0);
    const auto range = torch::quantile(x0.flatten(1).abs(), threshold.dynamic_ratio, 1)
                           .clamp(1, threshold.dynamic_max)
                           .view(shape);  // [N, 1, 1, 1]
    return torch::clamp(x0, -range, range) / range;
  }
  return threshold.clip > 0 ? x0.clamp(-threshold.clip, threshold.clip) : x0;
}

Denoiser make_denoiser(Backbone backbone, Condition condition, const Prediction& prediction) {
  return [backbone = std::move(backbone), condition = std::move(condition), prediction](const torch::Tensor& x,
                                                                                        const Evaluation& evaluation) {
    return estimate(backbone(x, evaluation, condition), x, evaluation.level, prediction);
  };
}

}  // namespace sfumato
