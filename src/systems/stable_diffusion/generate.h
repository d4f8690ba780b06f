#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "diffusion/denoiser.h"
#include "systems/stable_diffusion/attachments.h"
#include "systems/stable_diffusion/request.h"
#include "systems/stable_diffusion/stable_diffusion.h"

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
/// With ControlNets StableDiffusionControlNetPipeline. Where the request's `hires` is on, the result is enlarged and
/// goes through a second pass. With a refiner, here as in image_to_image and inpaint, what diffusers makes of
/// denoising_end and denoising_start (systems/stable_diffusion/refiner.h). Throws std::invalid_argument for a request
/// that does not validate, or whose controls or refiner are not among the attachments.
///
/// The model is not changed: several threads may use one model at the same time, each with attachments of its own.
Generated text_to_image(const StableDiffusion& model, const Request& request, const OnStep& on_step = {},
                        const Attachments& attachments = {});

/// A picture from `image` [1, 3, H, W] in [-1, 1]: diffusers' StableDiffusionImg2ImgPipeline, likewise. `image` is
/// resized to the request's size or, where that is 0, to its own rounded down to what the VAE takes. int(steps *
/// strength) steps; where that is 0, the VAE's reconstruction.
Generated image_to_image(const StableDiffusion& model, const Request& request, const torch::Tensor& image,
                         const OnStep& on_step = {}, const Attachments& attachments = {});

/// A picture, and which part of it is to be made anew.
struct MaskedImage {
  torch::Tensor image;  ///< [1, 3, H, W] in [-1, 1]
  torch::Tensor mask;   ///< [1, 1, H', W'] in [0, 1], of any size, 1 where it is made anew
};

/// The masked part of a picture made anew: diffusers' StableDiffusionInpaintPipeline, given as many copies of picture
/// and mask as the request has pictures, so that each draws from its own generator. A UNet for inpainting is told mask
/// and masked picture; for any other, after each step, what is outside of the mask is the picture, noised. The
/// request's size is the one it is made at and, where 0, the picture's own or, with `only_masked`, the model's; laid
/// over the picture by `paste`, the result has the picture's. Without a step, the VAE's reconstruction. Throws
/// std::invalid_argument also for a mask of which nothing is left in the latents' size.
Generated inpaint(const StableDiffusion& model, const Request& request, const MaskedImage& masked,
                  const OnStep& on_step = {}, const Attachments& attachments = {});

}  // namespace sfumato
