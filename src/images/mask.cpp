#include "images/mask.h"

#include <algorithm>
#include <cmath>

#include "images/nonzero_range.h"
#include "images/pixels.h"

namespace sfumato {
namespace {

constexpr int kPasses = 3;

/// Radius of the box whose passes add up to a Gaussian of this standard deviation (Gwosdek et al. 2011, eq. 7, 11 and
/// 14), in single precision as Pillow computes it.
float box_radius(float std_dev) {
  const float variance = std_dev * std_dev / kPasses;
  const auto length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const auto whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  const float part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  return whole + part / (6 * (variance - (whole + 1) * (whole + 1)));
}

/// One pass along the last side of `bytes`, which are integers in float64 (so that all sums are exact), with Pillow's
/// 24 bits of fixed point.
torch::Tensor box_blurred(const torch::Tensor& bytes, float radius) {
  constexpr std::int64_t kOne = 1 << 24;
  const auto whole = static_cast<std::int64_t>(radius);
  const auto inner = static_cast<std::int64_t>(static_cast<float>(kOne) / (radius * 2 + 1));
  const auto outer = (kOne - (whole * 2 + 1) * inner) / 2;  // weight of the two pixels that the box covers in part
  const auto size = bytes.size(-1);
  const auto place = torch::arange(-whole - 1, size + whole + 1).clamp(0, size - 1);
  const auto padded = bytes.index_select(-1, place);
  const auto sums = torch::constant_pad_nd(padded.cumsum(-1), {1, 0});
  const auto box = sums.slice(-1, 2 * whole + 2, 2 * whole + 2 + size) - sums.slice(-1, 1, 1 + size);
  const auto ends = padded.slice(-1, 0, size) + padded.slice(-1, 2 * whole + 2, 2 * whole + 2 + size);
  const auto sum = box * static_cast<double>(inner) + ends * static_cast<double>(outer);
  return ((sum + static_cast<double>(kOne) / 2) / static_cast<double>(kOne)).floor();
}

/// Widens [first, last) of a side with `size` pixels to `wanted` pixels, evenly unless it meets the border.
void widen(std::int64_t& first, std::int64_t& last, std::int64_t wanted, std::int64_t size) {
  const auto missing = wanted - (last - first);
  first -= missing / 2;
  last += missing - missing / 2;
  const auto beyond = std::max<std::int64_t>(0, last - size);
  first -= beyond;
  last -= beyond;
  last = std::min(size, last + std::max<std::int64_t>(0, -first));
  first = std::max<std::int64_t>(0, first);
}

/// Size in the image's own aspect ratio that fits into height x width or, with `covering`, covers it.
std::pair<std::int64_t, std::int64_t> scaled_size(const torch::Tensor& image, std::int64_t height, std::int64_t width,
                                                  bool covering) {
  const auto own_height = image.size(2), own_width = image.size(3);
  const bool wider = own_width * height > width * own_height;
  if (wider == covering) return {height, own_width * height / own_height};
  return {own_height * width / own_width, width};
}

/// Repeats `count` times Pillow's bicubic result for a border that is resized from no pixel at all: the curve through
/// the outermost two, half a pixel further out. `side` is 2 or 3.
torch::Tensor border(const torch::Tensor& image, std::int64_t side, bool at_end, std::int64_t count) {
  const auto size = image.size(side);
  const auto outermost = image.narrow(side, at_end ? size - 1 : 0, 1);
  const auto next = image.narrow(side, size == 1 ? 0 : at_end ? size - 2 : 1, 1);
  return (1.125 * outermost - 0.125 * next).clamp(-1, 1).repeat_interleave(count, side);
}

torch::Tensor filled(const torch::Tensor& image, std::int64_t side, std::int64_t size) {
  const auto missing = size - image.size(side);
  const auto before = size / 2 - image.size(side) / 2;
  if (missing == 0) return image;
  return torch::cat({border(image, side, false, before), image, border(image, side, true, missing - before)}, side);
}

}  // namespace

torch::Tensor resize_mask(const torch::Tensor& mask, std::int64_t height, std::int64_t width) {
  return resize_lanczos(mask * 2 - 1, height, width) * 0.5 + 0.5;
}

torch::Tensor blur_mask(const torch::Tensor& mask, double radius) {
  if (radius == 0) return mask;
  const auto box = box_radius(static_cast<float>(radius));
  auto bytes = (mask * 255).round().to(torch::kFloat64);
  for (int pass = 0; pass < kPasses; ++pass) bytes = box_blurred(bytes, box);
  bytes = bytes.transpose(2, 3);
  for (int pass = 0; pass < kPasses; ++pass) bytes = box_blurred(bytes, box);
  return bytes.transpose(2, 3).to(torch::kFloat32).contiguous() / 255;
}

Region masked_region(const torch::Tensor& mask, std::int64_t padding, std::int64_t height, std::int64_t width) {
  const auto own_height = mask.size(2), own_width = mask.size(3);
  auto [top, bottom] = nonzero_range(mask[0][0].amax(1));
  auto [left, right] = nonzero_range(mask[0][0].amax(0));
  top = std::max<std::int64_t>(0, top - padding), bottom = std::min(own_height, bottom + padding);
  left = std::max<std::int64_t>(0, left - padding), right = std::min(own_width, right + padding);
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  const auto found_width = static_cast<double>(right - left), found_height = static_cast<double>(bottom - top);
  if (found_width / found_height > ratio)
    widen(top, bottom, static_cast<std::int64_t>(found_width / ratio), own_height);
  else
    widen(left, right, static_cast<std::int64_t>(found_height * ratio), own_width);
  return {.top = top, .left = left, .height = bottom - top, .width = right - left};
}

torch::Tensor cut_out(const torch::Tensor& image, const Region& region) {
  return image.narrow(2, region.top, region.height).narrow(3, region.left, region.width);
}

torch::Tensor resize_and_fill(const torch::Tensor& image, std::int64_t height, std::int64_t width) {
  const auto [inner_height, inner_width] = scaled_size(image, height, width, false);
  const auto inner =
      resize_lanczos(image, std::max<std::int64_t>(1, inner_height), std::max<std::int64_t>(1, inner_width));
  return filled(filled(inner, 2, height), 3, width);
}

torch::Tensor resize_and_crop(const torch::Tensor& image, std::int64_t height, std::int64_t width) {
  const auto [outer_height, outer_width] = scaled_size(image, height, width, true);
  const auto outer = resize_lanczos(image, outer_height, outer_width);
  return outer.narrow(2, outer_height / 2 - height / 2, height).narrow(3, outer_width / 2 - width / 2, width);
}

torch::Tensor paste(const torch::Tensor& image, const torch::Tensor& made, const torch::Tensor& mask,
                    const Region& region) {
  auto pasted = image.repeat({made.size(0), 1, 1, 1});
  const auto opacity = cut_out(mask, region);
  const auto below = cut_out(image, region);
  const auto mixed = torch::where(opacity > 0, opacity * made + (1 - opacity) * below, below);
  cut_out(pasted, region).copy_(mixed);
  return pasted;
}

}  // namespace sfumato
