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
  /// Images [N, 3, H, W] in about [-1, 1] of x [N, C, h, w].
  using Decode = std::function<torch::Tensor(const torch::Tensor& x)>;

  /// `count` frames, evenly over a process of so many evaluations of the network, and one of the final images.
  ReverseFrames(Decode decode, std::size_t evaluations, std::int64_t count);

  /// Evaluation `index` of the current batch: x_t and the estimate of x0, [N, C, h, w].
  void evaluate(std::size_t index, const torch::Tensor& x, const torch::Tensor& x0);
  /// The images [N, 3, H, W] of the current batch, after its last evaluation.
  void end_batch(const torch::Tensor& images);

  /// uint8 [H', W', 3] each, in `columns` images a row of each half. Smaller images of earlier frames, as those before
  /// a second pass, are enlarged to the size of the final ones.
  std::vector<torch::Tensor> frames(std::int64_t columns) const;

 private:
  /// The images of one frame, uint8.
  struct Moment {
    std::vector<torch::Tensor> x, x0;  // each [3, H, W]
  };
  void add(std::size_t moment, const torch::Tensor& x, const torch::Tensor& x0);

  Decode decode_;
  std::size_t evaluations_, count_;
  std::vector<Moment> moments_;
};

}  // namespace sfumato
