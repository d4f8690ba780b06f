#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "models/vae_tiling.h"
#include "systems/clip.h"
#include "systems/stable_diffusion/controlnet.h"

namespace sfumato {

/// Networks and settings of one request in addition to the model, which stays unchanged.
struct Attachments {
  /// ControlNets of the request's controls, in their order (load_controlnets).
  std::vector<ControlNet> controlnets = {};
  /// The request's refiner (load_refiner).
  std::shared_ptr<const StableDiffusion> refiner = {};
  /// The model of the request's clip_guidance (load_clip).
  std::shared_ptr<const CLIP> clip = {};
  /// Tiles of the VAE for large images; empty to encode and decode images whole.
  std::optional<VaeTiling> vae_tiling = {};
  /// Called at each evaluation of the network with the latents x_t and the estimate of x0, [N, C, h, w]; may be empty.
  std::function<void(const torch::Tensor& x, const torch::Tensor& x0)> on_estimate = {};
};

}  // namespace sfumato
