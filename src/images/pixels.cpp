#include "images/pixels.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace sfumato {
namespace {

constexpr double kLobes = 3;

double lanczos(double x) {
  if (x == 0) return 1;
  if (std::abs(x) >= kLobes) return 0;
  const double pi_x = std::numbers::pi * x;
  return kLobes * std::sin(pi_x) * std::sin(pi_x / kLobes) / (pi_x * pi_x);
}

/// Returns the weights [to, from] of one pass: Pillow's precompute_coeffs, rounded to its 22 bits of fixed point.
torch::Tensor resampling_matrix(std::int64_t from, std::int64_t to) {
  auto matrix = torch::zeros({to, from}, torch::kFloat64);
  auto weights = matrix.accessor<double, 2>();
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double filter_scale = std::max(scale, 1.0);
  const double support = kLobes * filter_scale;
  for (std::int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(center - support + 0.5));
    const auto last = std::min(from, static_cast<std::int64_t>(center + support + 0.5));
    double sum = 0;
    for (auto j = first; j < last; ++j)
      sum += weights[i][j] = lanczos((static_cast<double>(j) - center + 0.5) / filter_scale);
    for (auto j = first; j < last; ++j) weights[i][j] = std::round(weights[i][j] / sum * (1 << 22)) / (1 << 22);
  }
  return matrix;
}

torch::Tensor rounded_to_8_bits(const torch::Tensor& values) {
  return (values + 0.5).floor().clamp(0, 255);
}

/// Converts floats in [-1, 1] to integers from 0 to 255, in float32.
torch::Tensor byte_values(const torch::Tensor& image) {
  const auto unit = (image.detach().cpu().to(torch::kFloat32) * 0.5 + 0.5).clamp(0, 1);
  return (unit * 255).round();
}

/// True if Pillow resizes the height first (found by experiment): the rounding between the passes depends on it.
bool shrinks_height_first(const torch::Tensor& image, std::int64_t height, std::int64_t width) {
  const auto lower = image.size(2) - height, narrower = image.size(3) - width;
  return lower > 0 && lower > 2 * narrower;
}

/// Pillow's passes over `image` [N, C, H, W]; each matrix is [to, from], and an undefined one keeps its side unchanged.
torch::Tensor resampled(const torch::Tensor& image, const torch::Tensor& rows, const torch::Tensor& columns,
                        bool height_first) {
  auto pixels = byte_values(image).to(torch::kFloat64);
  if (height_first && rows.defined()) pixels = rounded_to_8_bits(torch::matmul(rows, pixels));
  if (columns.defined()) pixels = rounded_to_8_bits(torch::matmul(pixels, columns.t()));
  if (!height_first && rows.defined()) pixels = rounded_to_8_bits(torch::matmul(rows, pixels));
  return pixels.to(torch::kFloat32) / 255 * 2 - 1;
}

}  // namespace

torch::Tensor to_bytes(const torch::Tensor& image) {
  const auto chw = image.dim() == 4 ? image.squeeze(0) : image;
  TORCH_CHECK(chw.dim() == 3 && chw.size(0) == 3, "expected one picture [1, 3, H, W], got ", image.sizes());
  return byte_values(chw).to(torch::kUInt8).permute({1, 2, 0}).contiguous();  // [H, W, 3]
}

torch::Tensor from_bytes(const torch::Tensor& bytes) {
  const auto unit = bytes.permute({2, 0, 1}).to(torch::kFloat32) / 255;
  return (unit * 2 - 1).unsqueeze(0).contiguous();  // [1, 3, H, W]
}

torch::Tensor resize_lanczos(const torch::Tensor& image, std::int64_t height, std::int64_t width) {
  if (image.size(2) == height && image.size(3) == width) return image;
  const auto pass = [](std::int64_t from, std::int64_t to) {
    return from == to ? torch::Tensor() : resampling_matrix(from, to);
  };
  return resampled(image, pass(image.size(2), height), pass(image.size(3), width),
                   shrinks_height_first(image, height, width));
}

torch::Tensor image_grid(const torch::Tensor& images, std::int64_t columns, std::int64_t gap) {
  TORCH_CHECK(images.dim() == 4 && images.size(0) > 0 && columns > 0, "a grid of ", images.sizes(), " in ", columns,
              " columns");
  columns = std::min(columns, images.size(0));
  const auto rows = (images.size(0) + columns - 1) / columns;
  const auto height = images.size(2), width = images.size(3);
  auto grid = torch::ones({1, 3, rows * (height + gap) - gap, columns * (width + gap) - gap}, images.options());
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto top = i / columns * (height + gap), left = i % columns * (width + gap);
    grid[0].slice(1, top, top + height).slice(2, left, left + width).copy_(images[i]);
  }
  return grid;
}

}  // namespace sfumato
