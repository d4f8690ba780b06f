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

  /// Starts the next batch.
  void begin_batch();
  /// An evaluation of the current batch.
  void evaluate(const torch::Tensor& x, const Estimate& estimate);
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
  std::int64_t evaluations_, count_;
  std::int64_t seen_ = 0;
  std::size_t moment_ = 0;
  std::vector<Moment> moments_;
};

}  // namespace sfumato
