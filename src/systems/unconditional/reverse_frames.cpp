#include "systems/unconditional/reverse_frames.h"

#include <algorithm>

#include "images/pixels.h"

namespace sfumato {
namespace {

torch::Tensor as_bytes(const torch::Tensor& images) {
  return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch::kUInt8);
}

torch::Tensor grid_of(const std::vector<torch::Tensor>& images, std::int64_t columns) {
  return to_bytes(image_grid(torch::stack(images).to(torch::kFloat32) / 127.5 - 1, columns));
}

}  // namespace

ReverseFrames::ReverseFrames(const Unconditional& model, const Chain& chain, std::int64_t count)
    : model_(model),
      evaluations_(evaluation_count(chain.steps, chain.sampler.order)),
      count_(std::min(static_cast<std::size_t>(count), evaluations_)) {}

void ReverseFrames::add(std::size_t moment, const torch::Tensor& x, const torch::Tensor& x0) {
  if (moments_.size() <= moment) moments_.resize(moment + 1);
  for (const auto& image : as_bytes(x).unbind()) moments_[moment].x.push_back(image);
  for (const auto& image : as_bytes(x0).unbind()) moments_[moment].x0.push_back(image);
}

void ReverseFrames::evaluate(const torch::Tensor& x, const Evaluation& evaluation, const Estimate& estimate) {
  // The first evaluation of each of `count_` equal parts.
  const auto moment = evaluation.index * count_ / evaluations_;
  if (evaluation.index > 0 && (evaluation.index - 1) * count_ / evaluations_ == moment) return;
  add(moment, model_.first_stage.decode(x), model_.first_stage.decode(estimate.x0));
}

void ReverseFrames::end_batch(const torch::Tensor& images) {
  add(count_, images, images);
}

std::vector<torch::Tensor> ReverseFrames::frames(std::int64_t columns) const {
  constexpr std::int64_t kGap = 2;
  std::vector<torch::Tensor> frames;
  for (const auto& moment : moments_) {
    const auto x = grid_of(moment.x, columns);
    const auto gap = torch::full({x.size(0), 2 * kGap, 3}, 255, torch::kUInt8);
    frames.push_back(torch::cat({x, gap, grid_of(moment.x0, columns)}, 1));
  }
  return frames;
}

}  // namespace sfumato
