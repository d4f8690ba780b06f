#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <vector>

#include "systems/unconditional/chain.h"

namespace sfumato {

/// Frames of an animation of the reverse chain: x_t on the left, the estimate of x0 on the right, each as a grid of the
/// images of all batches.
class ReverseFrames {
 public:
  /// `count` frames, evenly over the chain, and one of the images. `model` and `chain` must outlive it.
  ReverseFrames(const Unconditional& model, const Chain& chain, std::int64_t count);

  /// An evaluation of the current batch.
  void evaluate(const torch::Tensor& x, const Evaluation& evaluation, const Estimate& estimate);
  /// The images [N, 3, H, W] that the current batch ended with.
  void end_batch(const torch::Tensor& images);

  /// uint8 [H', W', 3] each, in `columns` images a row of each half.
  std::vector<torch::Tensor> frames(std::int64_t columns) const;

 private:
  /// Images side by side as one moment has them, uint8.
  struct Moment {
    std::vector<torch::Tensor> x, x0;  // each [3, H, W]
  };
  void add(std::size_t moment, const torch::Tensor& x, const torch::Tensor& x0);

  const Unconditional& model_;
  std::size_t evaluations_, count_;
  std::vector<Moment> moments_;
};

}  // namespace sfumato
