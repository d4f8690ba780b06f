#include "systems/spherical.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace sfumato {

torch::Tensor interpolate_spherically(const torch::Tensor& from, const torch::Tensor& to, std::int64_t count) {
  TORCH_CHECK(from.sizes() == to.sizes() && from.size(0) == 1, "noises of ", from.sizes(), " and ", to.sizes());
  if (count < 2)
    throw std::invalid_argument("an interpolation of " + std::to_string(count) + " images, expected at least 2");
  const double cosine = ((from * to).sum() / (from.norm() * to.norm())).item<double>();
  const double angle = std::acos(std::clamp(cosine, -1.0, 1.0));
  std::vector<torch::Tensor> points;
  for (std::int64_t i = 0; i < count; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(count - 1);
    // The angle between equal noises is 0, and every point is that noise.
    const double first = angle == 0 ? 1 - part : std::sin((1 - part) * angle) / std::sin(angle);
    const double second = angle == 0 ? part : std::sin(part * angle) / std::sin(angle);
    points.push_back(first * from + second * to);
  }
  return torch::cat(points);
}

}  // namespace sfumato
