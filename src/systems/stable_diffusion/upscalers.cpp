#include "systems/stable_diffusion/upscalers.h"

#include <stdexcept>

#include "images/pixels.h"

namespace sfumato {
namespace {

using torch::Tensor;

Tensor bilinear(const Tensor& x, std::int64_t height, std::int64_t width) {
  return torch::upsample_bilinear2d(x, {height, width}, false);
}

Tensor bilinear_antialiased(const Tensor& x, std::int64_t height, std::int64_t width) {
  return torch::_upsample_bilinear2d_aa(x, {height, width}, false);
}

Tensor bicubic(const Tensor& x, std::int64_t height, std::int64_t width) {
  return torch::upsample_bicubic2d(x, {height, width}, false);
}

Tensor bicubic_antialiased(const Tensor& x, std::int64_t height, std::int64_t width) {
  return torch::_upsample_bicubic2d_aa(x, {height, width}, false);
}

Tensor nearest(const Tensor& x, std::int64_t height, std::int64_t width) {
  return torch::upsample_nearest2d(x, {height, width});
}

/// Also Pillow's NEAREST.
Tensor nearest_exact(const Tensor& x, std::int64_t height, std::int64_t width) {
  return torch::_upsample_nearest_exact2d(x, {height, width});
}

}  // namespace

const std::vector<Upscaler>& upscalers() {
  static const std::vector<Upscaler> table = {
      {"latent", "Latent", true, bilinear},
      {"latent-antialiased", "Latent (antialiased)", true, bilinear_antialiased},
      {"latent-bicubic", "Latent (bicubic)", true, bicubic},
      {"latent-bicubic-antialiased", "Latent (bicubic antialiased)", true, bicubic_antialiased},
      {"latent-nearest", "Latent (nearest)", true, nearest},
      {"latent-nearest-exact", "Latent (nearest-exact)", true, nearest_exact},
      {"lanczos", "Lanczos", false, resize_lanczos},
      {"nearest", "Nearest", false, nearest_exact},
  };
  return table;
}

const Upscaler& find_upscaler(const std::string& name) {
  std::string known;
  for (const auto& upscaler : upscalers()) {
    if (upscaler.name == name) return upscaler;
    known += (known.empty() ? "" : ", ") + upscaler.name;
  }
  throw std::invalid_argument("hires upscaler is '" + name + "', expected one of " + known);
}

}  // namespace sfumato
