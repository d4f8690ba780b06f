#include "data/image_fit.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace sfumato {
namespace {

torch::Tensor resized(const torch::Tensor& image, std::int64_t height, std::int64_t width) {
  const std::vector<std::int64_t> size = {height, width};
  return at::_upsample_bicubic2d_aa(image.unsqueeze(0), size, /*align_corners=*/false).squeeze(0).clamp(-1, 1);
}

torch::Tensor center_crop(const torch::Tensor& image, std::int64_t size) {
  const auto shorter = std::min(image.size(1), image.size(2));
  const auto scaled = [&](std::int64_t side) {
    return std::max(
        size, static_cast<std::int64_t>(std::lround(static_cast<double>(side * size) / static_cast<double>(shorter))));
  };
  const auto whole = shorter == size ? image : resized(image, scaled(image.size(1)), scaled(image.size(2)));
  return whole.narrow(1, (whole.size(1) - size) / 2, size).narrow(2, (whole.size(2) - size) / 2, size);
}

torch::Tensor padded(const torch::Tensor& image, std::int64_t size) {
  const auto down = size - image.size(1), right = size - image.size(2);
  return torch::constant_pad_nd(image, {right / 2, right - right / 2, down / 2, down - down / 2}, -1);
}

std::string size_text(const torch::Tensor& image) {
  return std::to_string(image.size(2)) + " x " + std::to_string(image.size(1));
}

}  // namespace

const std::vector<std::string>& image_fits() {
  static const std::vector<std::string> names = {"center_crop", "stretch", "pad", "none"};
  return names;
}

torch::Tensor fit_image(const torch::Tensor& image, std::int64_t size, const std::string& fit) {
  if (image.size(1) == size && image.size(2) == size) return image;
  if (fit == "center_crop") return center_crop(image, size);
  if (fit == "stretch") return resized(image, size, size);
  if (fit == "pad" && image.size(1) <= size && image.size(2) <= size) return padded(image, size);
  throw std::invalid_argument("an image of " + size_text(image) + " pixels, expected " +
                              (fit == "pad" ? "at most " : "") + std::to_string(size) + " x " + std::to_string(size) +
                              " with 'resize' " + fit);
}

torch::Tensor with_channels(const torch::Tensor& image, std::int64_t channels) {
  if (image.size(0) == channels) return image;
  if (image.size(0) == 1) return image.expand({channels, -1, -1});
  return 0.299 * image.narrow(0, 0, 1) + 0.587 * image.narrow(0, 1, 1) + 0.114 * image.narrow(0, 2, 1);
}

torch::Tensor to_levels(const torch::Tensor& images) {
  return images.to(torch::kFloat32).add(1).mul(127.5).round().clamp(0, 255).to(torch::kUInt8);
}

torch::Tensor from_levels(const torch::Tensor& levels) {
  return levels.to(torch::kFloat32) / 127.5 - 1;
}

}  // namespace sfumato
