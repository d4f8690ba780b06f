#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "diffusion/steps.h"
#include "systems/stable_diffusion/additions.h"
#include "systems/stable_diffusion/stable_diffusion.h"

// A second model that goes on where the first one stops (Podell et al. 2023, section 2.5): diffusers'
// StableDiffusionXLPipeline with denoising_end, then StableDiffusionXLImg2ImgPipeline with denoising_start, but as one
// run of one sampler, in which the denoiser changes. A sampler that looks back over several steps so keeps its history,
// as in AUTOMATIC1111's web UI.

namespace sfumato {

/// Loads a model as load_stable_diffusion does, for StableDiffusion::refiner of `base`: of its kind (Stable Diffusion
/// XL or not), latent space and noise schedule. Embeddings are added to it as to the base, those that LoRA files bring
/// along too; the files' weights fit the base alone. What both have alike is held once: the VAE is the base's, and so
/// is the last text encoder where its weights are equal, as those of Stable Diffusion XL are. Throws std::runtime_error
/// naming the path of what cannot be read or does not fit.
std::shared_ptr<const StableDiffusion> load_refiner(const std::filesystem::path& path, const StableDiffusion& base,
                                                    const std::vector<std::filesystem::path>& tokenizers = {},
                                                    const Additions& additions = {});

/// Which of the sampler's steps are the refiner's: those from a timestep below round(T - switch_at T), for T training
/// timesteps. A step with two evaluations has both of one model.
std::vector<bool> steps_of_refiner(const std::vector<Step>& steps, const Request::Refiner& refiner,
                                   std::int64_t num_train_timesteps);

}  // namespace sfumato
