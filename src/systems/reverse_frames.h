#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace sfumato {

/// Frames of an animation of the reverse process: x_t on the left, the estimate of x0 on the right, each as a grid of
/// the images of all batches.
class ReverseFrames {
 public:
  /// Decodes x [N, C, h, w] to images [N, 3, H, W], about in [-1, 1].
  using Decode = std::function<torch::Tensor(const torch::Tensor& x)>;

  /// Collects `count` frames, evenly over a process of `evaluations` of the network, and one of the final images.
  ReverseFrames(Decode decode, std::size_t evaluations, std::int64_t count);

  /// Records evaluation `index` of the current batch: x_t and the estimate of x0, [N, C, h, w].
  void evaluate(std::size_t index, const torch::Tensor& x, const torch::Tensor& x0);
  /// Ends the current batch, after its last evaluation, with its images [N, 3, H, W].
  void end_batch(const torch::Tensor& images);

  /// Returns frames, uint8 [H', W', 3], with `columns` images in a row of each half. Smaller images of earlier frames,
  /// such as those before a second pass, are enlarged to the final size.
  std::vector<torch::Tensor> frames(std::int64_t columns) const;

 private:
  /// Images of one frame, uint8.
  struct Moment {
    std::vector<torch::Tensor> x, x0;  // each [3, H, W]
  };
  void add(std::size_t moment, const torch::Tensor& x, const torch::Tensor& x0);

  Decode decode_;
  std::size_t evaluations_, count_;
  std::vector<Moment> moments_;
};

}  // namespace sfumato
