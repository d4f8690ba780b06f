#pragma once

#include <string>
#include <vector>

#include "generate/options.h"

// Checks that run before a model is loaded. Each throws std::invalid_argument.

namespace sfumato {

/// Checks that the prompts are UTF-8. `source` names the file that they come from; "" is the command line.
void check_prompts(const std::vector<Request>& requests, const std::string& source);

/// Checks that paths in an image's record are UTF-8.
void check_recorded_paths(const GenerateOptions& options);

/// Checks that --quality and --preview-every are in range and that --skip-existing has names that repeat in each run.
void check_output_options(const GenerateOptions& options, bool random_seed);

}  // namespace sfumato
