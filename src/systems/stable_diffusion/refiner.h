#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "diffusion/steps.h"
#include "systems/stable_diffusion/adapters.h"
#include "systems/stable_diffusion/stable_diffusion.h"

// A second model that continues after the first (Podell et al. 2023, section 2.5): diffusers'
// StableDiffusionXLPipeline with denoising_end, then StableDiffusionXLImg2ImgPipeline with denoising_start, but as one
// run of one sampler in which the denoiser changes. A multistep sampler therefore keeps its history,
// as in AUTOMATIC1111's web UI.

namespace sfumato {

/// Loads a model as load_stable_diffusion does, for StableDiffusion::refiner of `base`: of the same kind (Stable
/// Diffusion XL or not), latent space and noise schedule. Adds embeddings to it as to the base, including those bundled
/// in LoRA files; the files' weights match the base alone. Identical parts are stored once: the VAE is the base's, and
/// so is the last text encoder if its weights are equal, as in Stable Diffusion XL. Throws std::runtime_error
/// naming the path of a file that cannot be read or does not match.
std::shared_ptr<const StableDiffusion> load_refiner(const std::filesystem::path& path, const StableDiffusion& base,
                                                    const std::vector<std::filesystem::path>& tokenizers = {},
                                                    const Adapters& adapters = {});

/// Marks the refiner's steps among the sampler's: those from a timestep below round(T - switch_at T), for T training
/// timesteps. A step with two evaluations uses one model for both.
std::vector<bool> steps_of_refiner(const std::vector<Step>& steps, const Request::Refiner& refiner,
                                   std::int64_t num_train_timesteps);

}  // namespace sfumato
