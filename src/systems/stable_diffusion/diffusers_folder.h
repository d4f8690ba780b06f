#pragma once

#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// Implements load_stable_diffusion for a folder. Throws std::runtime_error naming it.
StableDiffusion load_diffusers_folder(const std::filesystem::path& folder, const Placement& placement,
                                      const VaeChoice& vae);

}  // namespace sfumato
