#pragma once

#include "evaluate/options.h"

namespace sfumato {

/// Measures the images of a folder against those of a pack or another folder, and their CLIP score. Returns the
/// program's exit code. Throws std::invalid_argument and std::runtime_error for wrong options and files.
int evaluate_folder(const EvaluateOptions& options);

}  // namespace sfumato
