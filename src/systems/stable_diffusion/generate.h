#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "diffusion/denoiser.h"
#include "systems/stable_diffusion/attachments.h"
#include "systems/stable_diffusion/request.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// Result of a request.
struct Generated {
  /// The request, with the model's own size and sampler filled in.
  Request request = {};
  /// The final latents [N, C, h, w], float32, before the division by the VAE's scaling_factor.
  torch::Tensor latents = {};
  /// [N, 3, H, W] float32 on the CPU, about in [-1, 1]; undefined if on_step ended it.
  torch::Tensor images = {};
  /// Warnings for the user, one line each.
  std::vector<std::string> warnings = {};
};

/// Generates images from noise: diffusers' StableDiffusionPipeline with a list of CPU generators seeded seed + k, or
/// StableDiffusionControlNetPipeline with ControlNets. If the request's `hires` is on, the result is enlarged and
/// refined in a second pass. A refiner, here and in image_to_image and inpaint, corresponds to diffusers'
/// denoising_end and denoising_start (systems/stable_diffusion/refiner.h). Throws std::invalid_argument for an invalid
/// request, or one whose controls or refiner are not among the attachments.
///
/// Does not change the model: several threads may use one model at the same time, each with its own attachments.
Generated text_to_image(const StableDiffusion& model, const Request& request, const OnStep& on_step = {},
                        const Attachments& attachments = {});

/// Generates images from `image` [1, 3, H, W] in [-1, 1] like diffusers' StableDiffusionImg2ImgPipeline. `image` is
/// resized to the request's size or, if that is 0, to its own rounded down for the VAE. Runs int(steps *
/// strength) steps; if that is 0, returns the VAE's reconstruction.
Generated image_to_image(const StableDiffusion& model, const Request& request, const torch::Tensor& image,
                         const OnStep& on_step = {}, const Attachments& attachments = {});

/// An image and its region to regenerate.
struct MaskedImage {
  torch::Tensor image;  ///< [1, 3, H, W] in [-1, 1]
  torch::Tensor mask;   ///< [1, 1, H', W'] in [0, 1], of any size, 1 in the region to regenerate
};

/// Regenerates the masked region of an image: diffusers' StableDiffusionInpaintPipeline, given as many copies of image
/// and mask as the request has images, so that each draws from its own generator. A UNet for inpainting receives mask
/// and masked image; for any other, the noised image replaces the known region after each step. The
/// request's size is the working size and, where 0, the image's own or, with `only_masked`, the model's. With `paste`,
/// the result is composited over the image at the image's size. With no steps, it is the VAE's reconstruction. Throws
/// std::invalid_argument also for a mask that is empty at the latents' size.
Generated inpaint(const StableDiffusion& model, const Request& request, const MaskedImage& masked,
                  const OnStep& on_step = {}, const Attachments& attachments = {});

}  // namespace sfumato
