#pragma once

#include <torch/torch.h>

#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// Images of latents without decoding: each latent pixel becomes a square of one colour, a linear function of its
/// channels. The function is fitted to the model's VAE by least squares, over one small decoding of smooth noise.
class LatentPreview {
 public:
  explicit LatentPreview(const StableDiffusion& model);

  /// Converts scaled latents [N, C, h, w] to images [N, 3, f h, f w] in [-1, 1] on the CPU.
  torch::Tensor operator()(const torch::Tensor& latents) const;

 private:
  std::int64_t factor_;
  torch::Tensor colors_;  // [C + 1, 3], the last row for a constant
};

}  // namespace sfumato
