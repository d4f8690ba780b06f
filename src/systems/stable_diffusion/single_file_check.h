#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "models/original_layout.h"
#include "systems/stable_diffusion/pipeline_files.h"

namespace sfumato {

/// Reads tensors in the original layout back, as load_single_file does, and compares what a reader takes for granted
/// (Stable Diffusion's configs, schedule and vocabulary) with what `files` say. Returns a line for each difference that
/// changes no picture, or a default alone. Throws std::invalid_argument that lists those that make other pictures, and
/// where the tensors cannot be read back.
std::vector<std::string> check_single_file(const PipelineFiles& files, const NamedWeights& weights,
                                           const std::vector<std::filesystem::path>& tokenizers);

}  // namespace sfumato
