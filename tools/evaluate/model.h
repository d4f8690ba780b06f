#pragma once

#include "evaluate/options.h"

namespace sfumato {

/// Generates an image for each of a pack's held-out captions, classifies it and prints the share of correct names.
/// Returns the program's exit code. Throws std::invalid_argument and std::runtime_error for wrong options and files.
int evaluate_model(const EvaluateOptions& options);

}  // namespace sfumato
