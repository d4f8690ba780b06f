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

}  // namespace sfumato
