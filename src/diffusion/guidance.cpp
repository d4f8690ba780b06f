#include "diffusion/guidance.h"

#include <algorithm>

namespace sfumato {
namespace {

/// Both halves' raw output [2N, C or 2C, ...] as one [N, C or 2C, ...].
torch::Tensor combined(const torch::Tensor& raw, std::int64_t channels, const GuidanceOptions& options) {
  const auto halves = raw.chunk(2);
  const auto negative = halves[0].narrow(1, 0, channels);
  const auto positive = halves[1].narrow(1, 0, channels);
  auto guided = negative + options.scale * (positive - negative);
  if (options.rescale > 0) guided = rescale_guidance(guided, positive, options.rescale);
  if (raw.size(1) == channels) return guided;
  return torch::cat({guided, halves[1].narrow(1, channels, raw.size(1) - channels)}, 1);
}

}  // namespace

bool is_guided(const GuidanceOptions& options) {
  return options.scale > 1;
}

torch::Tensor rescale_guidance(const torch::Tensor& guided, const torch::Tensor& positive, double rescale) {
  std::vector<std::int64_t> dims;
  for (std::int64_t dim = 1; dim < guided.dim(); ++dim) dims.push_back(dim);
  const auto ratio = positive.std(dims, true, true) / guided.std(dims, true, true);  // [N, 1, 1, 1]
  return rescale * (guided * ratio) + (1 - rescale) * guided;
}

Network classifier_free_guidance(Network network, const GuidanceOptions& options) {
  if (!is_guided(options)) return network;
  return [network = std::move(network), options](const torch::Tensor& x, const Level& level) {
    return combined(network(torch::cat({x, x}), level).to(torch::kFloat32), x.size(1), options);
  };
}

Network text_and_image_guidance(Network network, const GuidanceOptions& options, double image_scale) {
  return [network = std::move(network), options, image_scale](const torch::Tensor& x, const Level& level) {
    const auto raw = network(torch::cat({x, x, x}), level).to(torch::kFloat32);
    const auto parts = raw.chunk(3);  // each [N, C, H, W]
    const auto &none = parts[0], &pictured = parts[1], &prompted = parts[2];
    const auto guided = none + image_scale * (pictured - none) + options.scale * (prompted - pictured);
    return options.rescale > 0 ? rescale_guidance(guided, prompted, options.rescale) : guided;
  };
}

Denoiser cfg_plus_plus(Network network, const GuidanceOptions& options, const Prediction& prediction) {
  return [network = std::move(network), options, prediction](const torch::Tensor& x, const Level& level) {
    const auto raw = network(torch::cat({x, x}), level).to(torch::kFloat32);
    auto result = estimate(combined(raw, x.size(1), options), x, level, prediction.type);
    result.x0 = apply_threshold(result.x0, prediction.threshold);
    result.eps = estimate(raw.chunk(2)[0], x, level, prediction.type).eps;
    return result;
  };
}

Network perturbed_attention_guidance(Network network, const PerturbedAttention& options, std::int64_t pictures) {
  return [network = std::move(network), options, pictures](const torch::Tensor& x, const Level& level) {
    // diffusers counts from 1000, whatever the model's timesteps.
    const double scale = std::max(0.0, options.scale - options.adaptive_scale * (1000 - level.t));
    if (scale == 0) return network(x, level);
    const auto rows = x.size(0), channels = x.size(1);
    const auto raw = network(torch::cat({x, x.narrow(0, rows - pictures, pictures)}), level).to(torch::kFloat32);
    const auto prompt = raw.narrow(0, rows - pictures, pictures).narrow(1, 0, channels);
    const auto away = scale * (prompt - raw.narrow(0, rows, pictures).narrow(1, 0, channels));
    auto moved = raw.narrow(0, 0, rows).clone();
    moved.narrow(1, 0, channels).add_(away.repeat({rows / pictures, 1, 1, 1}));
    return moved;
  };
}

Denoiser guided_within(Denoiser guided, Denoiser plain, const Course& course, double start, double end) {
  const auto n = static_cast<double>(course.evaluations());
  const auto first = static_cast<std::size_t>(start * n), stop = static_cast<std::size_t>(end * n);
  return [=, &course](const torch::Tensor& x, const Level& level) {
    const bool inside = course.evaluation() >= first && course.evaluation() < stop;
    return inside ? guided(x, level) : plain(x, level);
  };
}

Network composed_guidance(Network network, std::vector<double> weights, const GuidanceOptions& options) {
  return [network = std::move(network), weights = std::move(weights), options](const torch::Tensor& x,
                                                                               const Level& level) {
    const auto parts = static_cast<std::int64_t>(weights.size());
    const auto raw = network(torch::cat(std::vector<torch::Tensor>(weights.size() + 1, x)), level).to(torch::kFloat32);
    const auto rows = raw.chunk(1 + parts);  // each [N, C or 2C, H, W]
    const auto channels = x.size(1);
    const auto negative = rows[0].narrow(1, 0, channels);
    auto direction = torch::zeros_like(negative);
    for (std::size_t k = 0; k < weights.size(); ++k)
      direction += weights[k] * (rows[k + 1].narrow(1, 0, channels) - negative);
    auto guided = negative + options.scale * direction;
    if (options.rescale > 0) guided = rescale_guidance(guided, negative + direction, options.rescale);
    if (raw.size(1) == channels) return guided;
    return torch::cat({guided, rows[1].narrow(1, channels, raw.size(1) - channels)}, 1);
  };
}

}  // namespace sfumato
