#pragma once

#include <memory>

#include "systems/ddim_map.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// Creates the map of a text-to-image model: to noise under one prompt, back under the same or another (Mokady et al.
/// 2023, section 3, without its optimisation). Throws std::invalid_argument for labels, and for an image-editing model.
std::unique_ptr<DdimMap> make_ddim_map(StableDiffusion model, const DdimMapOptions& options);

}  // namespace sfumato
