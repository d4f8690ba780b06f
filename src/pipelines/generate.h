#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "diffusion/denoiser.h"
#include "pipelines/request.h"
#include "pipelines/stable_diffusion.h"

namespace sfumato {

/// What a request gives.
struct Generated {
  /// As asked, with the model's own size and sampler filled in.
  Request request = {};
  /// The final latents [N, C, h, w], float32, before the division by the VAE's scaling_factor.
  torch::Tensor latents = {};
  /// [N, 3, H, W] float32 on the CPU, about in [-1, 1]; undefined where on_step ended it.
  torch::Tensor images = {};
  /// One line each, for the user.
  std::vector<std::string> warnings = {};
};

/// A picture from noise: diffusers' StableDiffusionPipeline with a list of CPU generators seeded seed + k.
/// With the model's ControlNets StableDiffusionControlNetPipeline. Throws std::invalid_argument for a request that does
/// not validate, or whose controls are not the model's ControlNets.
Generated text_to_image(const StableDiffusion& model, const Request& request, const OnStep& on_step = {});

/// A picture from `image` [1, 3, H, W] in [-1, 1]: diffusers' StableDiffusionImg2ImgPipeline, likewise. `image` is
/// resized to the request's size or, where that is 0, to its own rounded down to what the VAE takes. int(steps *
/// strength) steps; where that is 0, the VAE's reconstruction.
Generated image_to_image(const StableDiffusion& model, const Request& request, const torch::Tensor& image,
                         const OnStep& on_step = {});

}  // namespace sfumato
