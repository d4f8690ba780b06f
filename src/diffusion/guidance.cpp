#include "diffusion/guidance.h"

namespace sfumato {

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
    const auto raw = network(torch::cat({x, x}), level).to(torch::kFloat32);
    const auto halves = raw.chunk(2);
    const auto channels = x.size(1);
    const auto negative = halves[0].narrow(1, 0, channels);
    const auto positive = halves[1].narrow(1, 0, channels);
    auto guided = negative + options.scale * (positive - negative);
    if (options.rescale > 0) guided = rescale_guidance(guided, positive, options.rescale);
    if (raw.size(1) == channels) return guided;
    return torch::cat({guided, halves[1].narrow(1, channels, raw.size(1) - channels)}, 1);
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
