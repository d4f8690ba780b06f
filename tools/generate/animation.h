#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "generate/options.h"
#include "systems/reverse_frames.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// Animation of a run (--animate): collects the latents of each batch, decodes some of them and writes the file.
class Animation {
 public:
  /// `model` must outlive it. Without GenerateOptions::animation it does nothing.
  Animation(const StableDiffusion& model, const GenerateOptions& options) : model_(model), options_(options) {}

  bool is_on() const { return !options_.animation.empty(); }
  /// Records an evaluation of the current batch: latents x_t and the estimate of x0, [N, C, h, w].
  void evaluate(const torch::Tensor& x, const torch::Tensor& x0);
  /// Ends the current batch with its images [N, 3, H, W].
  void end_batch(const torch::Tensor& images, const std::optional<VaeTiling>& tiling);
  /// Throws std::runtime_error if the file cannot be written.
  void write() const;

 private:
  /// Latents of one evaluation, on the CPU.
  struct Moment {
    torch::Tensor x, x0;
  };

  const StableDiffusion& model_;
  const GenerateOptions& options_;
  std::vector<Moment> moments_;
  std::optional<ReverseFrames> frames_;
  std::int64_t images_ = 0;
};

}  // namespace sfumato
