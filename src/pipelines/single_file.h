#pragma once

#include "pipelines/stable_diffusion.h"

namespace sfumato {

/// load_stable_diffusion's of a file. Throws std::runtime_error naming it.
StableDiffusion load_single_file(const std::filesystem::path& file, const Placement& placement,
                                 const std::vector<std::filesystem::path>& tokenizers);

}  // namespace sfumato
