#pragma once

#include <torch/torch.h>

#include <vector>

#include "core/random.h"
#include "diffusion/samplers.h"
#include "diffusion/steps.h"
#include "pipelines/first_noise.h"
#include "pipelines/generate.h"
#include "pipelines/seamless.h"

// What the pipelines of generate.h share.

namespace sfumato {

/// The request with the model's sampler and `height` x `width` where it leaves them open, validated.
Request completed(const StableDiffusion& model, Request request, std::int64_t height, std::int64_t width);

/// A side of an image, rounded down to what the VAE takes, as diffusers' VaeImageProcessor does; one latent pixel where
/// that would leave nothing.
std::int64_t rounded_size(std::int64_t pixels, std::int64_t factor);

/// The model's own, but for what the request has to say; align_your_steps is that of the model's family.
Schedule schedule_of(const StableDiffusion& model, const Request& request);

/// A pass from noise, or from a noised picture, to latents.
struct Denoising {
  torch::Tensor start;  ///< [N, C, h, w] at the first step's `from`
  const std::vector<Step>& steps;
  const std::vector<Step>& all;  ///< those of the whole schedule, of which `steps` are the last
  NoiseSource& noise;            ///< what the sampler draws from
  torch::Tensor beside = {};     ///< [N, E, h, w], what the UNet takes as channels after the latents' own
  AdjustLatents adjust = {};
  bool refines = true;  ///< whether the request's refiner takes over on the way
};

/// Makes `generated.request`: its latents, and its warnings. False where on_step ended it. Throws std::invalid_argument
/// where the model has not the request's ControlNets or refiner.
bool denoise(const StableDiffusion& model, const Denoising& denoising, Generated& generated, const OnStep& on_step);

/// Latents of images [1, 3, H, W], drawn from the VAE's posterior by each picture's generator: [N, C, h, w] float32.
torch::Tensor encode(const StableDiffusion& model, const torch::Tensor& image, NoiseSource& noise);

/// Pictures of scaled latents [N, C, h, w], one at a time: the decoder's memory is the largest of all.
torch::Tensor decode(const StableDiffusion& model, const torch::Tensor& latents);

/// Whether the UNet was trained for inpainting: it takes a mask and the masked picture's latents beside the latents.
bool takes_mask(const StableDiffusion& model);

/// Throws std::invalid_argument for a model that edits pictures: only image to image gives it one. And for a request of
/// another model with an image_guidance_scale.
void refuse_edits(const StableDiffusion& model, const Request& request);

/// What such a UNet is told where all is to be made anew (a mask of ones, and the latents of a grey picture, as
/// AUTOMATIC1111's web UI does it): [N, C + 1, h, w] for latents [N, C, h, w]. Undefined for other UNets.
torch::Tensor beside_without_mask(const StableDiffusion& model, const torch::Tensor& latents);

}  // namespace sfumato
