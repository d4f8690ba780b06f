#include "systems/reverse_frames.h"

#include <algorithm>
#include <utility>

#include "images/pixels.h"

namespace sfumato {
namespace {

torch::Tensor as_bytes(const torch::Tensor& images) {
  return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch::kUInt8);
}

/// `size` is the height and width of each image.
torch::Tensor grid_of(const std::vector<torch::Tensor>& images, const std::vector<std::int64_t>& size,
                      std::int64_t columns) {
  namespace F = torch::nn::functional;
  auto stacked = torch::stack(images).to(torch::kFloat32) / 127.5 - 1;  // [N, 3, h, w]
  if (stacked.sizes().slice(2) != torch::IntArrayRef(size))
    stacked = F::interpolate(stacked, F::InterpolateFuncOptions().size(size).mode(torch::kNearest));
  return to_bytes(image_grid(stacked, columns));
}

}  // namespace

ReverseFrames::ReverseFrames(Decode decode, std::size_t evaluations, std::int64_t count)
    : decode_(std::move(decode)),
      evaluations_(evaluations),
      count_(std::min(static_cast<std::size_t>(count), evaluations)) {}

void ReverseFrames::add(std::size_t moment, const torch::Tensor& x, const torch::Tensor& x0) {
  if (moments_.size() <= moment) moments_.resize(moment + 1);
  for (const auto& image : as_bytes(x).unbind()) moments_[moment].x.push_back(image);
  for (const auto& image : as_bytes(x0).unbind()) moments_[moment].x0.push_back(image);
}

void ReverseFrames::evaluate(std::size_t index, const torch::Tensor& x, const torch::Tensor& x0) {
  // Keeps the first evaluation of each of `count_` equal parts.
  const auto moment = index * count_ / evaluations_;
  if (index > 0 && (index - 1) * count_ / evaluations_ == moment) return;
  add(moment, decode_(x), decode_(x0));
}

void ReverseFrames::end_batch(const torch::Tensor& images) {
  add(count_, images, images);
}

std::vector<torch::Tensor> ReverseFrames::frames(std::int64_t columns) const {
  constexpr std::int64_t kGap = 2;
  const auto size = moments_.back().x.front().sizes().slice(1).vec();
  std::vector<torch::Tensor> frames;
  for (const auto& moment : moments_) {
    const auto x = grid_of(moment.x, size, columns);
    const auto gap = torch::full({x.size(0), 2 * kGap, 3}, 255, torch::kUInt8);
    frames.push_back(torch::cat({x, gap, grid_of(moment.x0, size, columns)}, 1));
  }
  return frames;
}

}  // namespace sfumato
