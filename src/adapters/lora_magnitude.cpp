#include "adapters/lora_magnitude.h"

#include <limits>
#include <stdexcept>

namespace sfumato {

torch::Tensor magnitude_of(const LoraParts& parts) {
  const auto of_outputs = find_part(parts, "lora_magnitude_vector"), scale = find_part(parts, "dora_scale");
  if (of_outputs.defined() && scale.defined()) throw std::invalid_argument("both lora_magnitude_vector and dora_scale");
  if (of_outputs.defined()) return of_outputs.reshape({-1, 1});
  if (!scale.defined()) return {};
  const auto matrix = scale.dim() < 2 ? scale.reshape({-1, 1}) : scale.flatten(1);
  if (matrix.size(0) != 1 && matrix.size(1) != 1) throw std::invalid_argument("a dora_scale that is no vector");
  return matrix;
}

bool magnitude_fits(const torch::Tensor& magnitude, torch::IntArrayRef weight) {
  if (weight.size() < 2) return false;
  using Sizes = std::vector<std::int64_t>;
  return magnitude.sizes() == Sizes{weight[0], 1} || magnitude.sizes() == Sizes{1, weight[1]};
}

torch::Tensor with_magnitude(const torch::Tensor& weight, const torch::Tensor& magnitude) {
  const std::int64_t kept = magnitude.size(0) == weight.size(0) && magnitude.size(1) == 1 ? 0 : 1;
  std::vector<std::int64_t> summed, sizes(static_cast<std::size_t>(weight.dim()), 1);
  for (std::int64_t i = 0; i < weight.dim(); ++i)
    if (i != kept) summed.push_back(i);
  sizes[static_cast<std::size_t>(kept)] = weight.size(kept);
  const auto norm = torch::linalg_vector_norm(weight, 2, summed, /*keepdim=*/true);
  const auto lengths = magnitude.to(weight.device(), torch::kFloat32).reshape(sizes);
  return weight * (lengths / norm.clamp_min(std::numeric_limits<float>::epsilon()));
}

}  // namespace sfumato
