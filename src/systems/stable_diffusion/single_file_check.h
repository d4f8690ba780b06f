#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/original_layout.h"
#include "systems/stable_diffusion/pipeline_files.h"

namespace sfumato {

/// Reads tensors in the original layout back, as load_single_file does, and compares a reader's assumptions
/// (Stable Diffusion's configs, schedule and vocabulary) with `files`. Returns a line for each difference that
/// changes no image or only a default. Throws std::invalid_argument that lists differences that change images, and
/// if the tensors cannot be read back.
std::vector<std::string> check_single_file(const PipelineFiles& files, const NamedWeights& weights,
                                           const std::vector<std::filesystem::path>& tokenizers);

}  // namespace sfumato
