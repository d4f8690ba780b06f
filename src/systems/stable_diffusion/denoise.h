#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "core/random.h"
#include "diffusion/samplers.h"
#include "diffusion/steps.h"
#include "systems/stable_diffusion/first_noise.h"
#include "systems/stable_diffusion/generate.h"
#include "systems/stable_diffusion/job.h"

// Parts that the pipelines of generate.h share.

namespace sfumato {

/// A side of an image, rounded down to what the VAE takes, as diffusers' VaeImageProcessor does; one latent pixel where
/// that would leave nothing.
std::int64_t rounded_size(std::int64_t pixels, std::int64_t factor);

/// A warning that WHAT's size was rounded to multiples of `factor`; "" where it was not.
std::string rounding_note(const std::string& what, ImageSize size, ImageSize rounded, std::int64_t factor);

/// Adds the warning to `generated` where the request leaves a side to `image` [1, 3, H, W] and the VAE takes another.
void note_rounding(const Request& request, const torch::Tensor& image, std::int64_t factor, Generated& generated);

/// A pass from noise, or from a noised picture, to latents.
struct Denoising {
  torch::Tensor start;  ///< [N, C, h, w] at the first step's `from`
  const std::vector<Step>& steps;
  const std::vector<Step>& all;  ///< those of the whole schedule, of which `steps` are the last
  NoiseSource& noise;            ///< what the sampler draws from
  torch::Tensor concat = {};     ///< [N, E, h, w], channels after the latents' own
  AdjustLatents adjust = {};
  bool refines = true;  ///< whether the request's refiner takes over on the way
};

/// Denoises to latents, in `generated`, with its warnings. False where on_step ended it. Throws std::invalid_argument
/// where the ControlNets or the refiner that the request names are not among the job's attachments.
bool denoise(const Job& job, const Denoising& denoising, Generated& generated);

/// Latents of an image [1, 3, H, W], drawn from the VAE's posterior by each image's generator: [N, C, h, w] float32.
torch::Tensor encode(const StableDiffusion& model, const torch::Tensor& image, NoiseSource& noise,
                     const std::optional<VaeTiling>& tiling = std::nullopt);

/// Images of scaled latents [N, C, h, w], one at a time: the decoder's memory is the largest of all.
torch::Tensor decode(const StableDiffusion& model, const torch::Tensor& latents,
                     const std::optional<VaeTiling>& tiling = std::nullopt);

/// Throws std::invalid_argument for a model that edits images: only image to image gives it one.
void refuse_edits(const Job& job);

/// Concatenated channels of a UNet for inpainting where everything is to be painted (a mask of ones, and the latents of
/// a grey image, as in AUTOMATIC1111's web UI): [N, C + 1, h, w] for latents [N, C, h, w]. Undefined for other UNets.
torch::Tensor concat_without_mask(const StableDiffusion& model, const torch::Tensor& latents);

}  // namespace sfumato
