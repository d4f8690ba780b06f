#include "diffusion/guidance.h"

#include <algorithm>

namespace sfumato {

double PerturbedAttention::scale_at(double t) const {
  return std::max(0.0, scale - adaptive_scale * (1000 - t));
}

bool is_guided(double guidance_scale) {
  return guidance_scale > 1;
}

torch::Tensor rescale_guidance(const torch::Tensor& guided, const torch::Tensor& positive, double rescale) {
  std::vector<std::int64_t> dims;
  for (std::int64_t dim = 1; dim < guided.dim(); ++dim) dims.push_back(dim);
  const auto ratio = positive.std(dims, true, true) / guided.std(dims, true, true);  // [N, 1, 1, 1]
  return rescale * (guided * ratio) + (1 - rescale) * guided;
}

torch::Tensor classifier_free_guidance(const torch::Tensor& negative, const torch::Tensor& positive,
                                       const GuidanceOptions& options) {
  const auto guided = negative + options.scale * (positive - negative);
  return options.rescale > 0 ? rescale_guidance(guided, positive, options.rescale) : guided;
}

torch::Tensor composed_guidance(const torch::Tensor& negative, const std::vector<torch::Tensor>& positives,
                                const std::vector<double>& weights, const GuidanceOptions& options) {
  TORCH_CHECK(positives.size() == weights.size(), positives.size(), " prompts and ", weights.size(), " weights");
  auto direction = torch::zeros_like(negative);
  for (std::size_t k = 0; k < weights.size(); ++k) direction += weights[k] * (positives[k] - negative);
  const auto guided = negative + options.scale * direction;
  return options.rescale > 0 ? rescale_guidance(guided, negative + direction, options.rescale) : guided;
}

torch::Tensor text_and_image_guidance(const torch::Tensor& negative, const torch::Tensor& image,
                                      const torch::Tensor& positive, const GuidanceOptions& options) {
  const auto guided = negative + options.image_scale * (image - negative) + options.scale * (positive - image);
  return options.rescale > 0 ? rescale_guidance(guided, positive, options.rescale) : guided;
}

}  // namespace sfumato
