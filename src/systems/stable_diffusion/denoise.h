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

/// Rounds a side of an image down to a multiple for the VAE, as diffusers' VaeImageProcessor does, but to at least one
/// latent pixel.
std::int64_t rounded_size(std::int64_t pixels, std::int64_t factor);

/// Returns a warning that WHAT's size was rounded to multiples of `factor`; "" if it was not.
std::string rounding_note(const std::string& what, ImageSize size, ImageSize rounded, std::int64_t factor);

/// Adds the warning to `generated` if a side comes from `image` [1, 3, H, W] and was rounded for the VAE.
void note_rounding(const Request& request, const torch::Tensor& image, std::int64_t factor, Generated& generated);

/// A pass from noise, or from a noised image, to latents.
struct Denoising {
  torch::Tensor start;  ///< [N, C, h, w] at the first step's `from`
  const std::vector<Step>& steps;
  const std::vector<Step>& all;  ///< steps of the whole schedule; `steps` are the last of them
  NoiseSource& noise;            ///< source of the sampler's noise
  torch::Tensor concat = {};     ///< [N, E, h, w], channels after the latents' own
  AdjustLatents adjust = {};
  bool refines = true;  ///< true if the request's refiner can take over in this pass
};

/// Denoises to latents, stored in `generated` with warnings. Returns false if on_step ended it. Throws
/// std::invalid_argument if the job's attachments lack ControlNets or the refiner of the request.
bool denoise(const Job& job, const Denoising& denoising, Generated& generated);

/// Samples latents of an image [1, 3, H, W] from the VAE's posterior by each image's generator: [N, C, h, w] float32.
torch::Tensor encode(const StableDiffusion& model, const torch::Tensor& image, NoiseSource& noise,
                     const std::optional<VaeTiling>& tiling = std::nullopt);

/// Decodes scaled latents [N, C, h, w] one at a time: the decoder needs more memory than any other network.
torch::Tensor decode(const StableDiffusion& model, const torch::Tensor& latents,
                     const std::optional<VaeTiling>& tiling = std::nullopt);

/// Decodes a result's latents to its images. Adds a warning if they have values that are not finite.
void decode_result(const Job& job, Generated& generated);

/// Throws std::invalid_argument for a model that edits images, which only image to image supports.
void refuse_edits(const Job& job);

/// Returns the concatenated channels of a UNet for inpainting if the whole image is generated (a mask of ones and the
/// latents of a grey image, as in AUTOMATIC1111's web UI): [N, C + 1, h, w] for latents [N, C, h, w]; else undefined.
torch::Tensor concat_without_mask(const StableDiffusion& model, const torch::Tensor& latents);

}  // namespace sfumato
