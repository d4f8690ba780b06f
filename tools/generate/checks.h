#pragma once

#include <string>
#include <vector>

#include "generate/options.h"

// What is found before a model is loaded. Each throws std::invalid_argument.

namespace sfumato {

/// The prompts are UTF-8. `source` names the file that they come from; "" is the command line.
void check_prompts(const std::vector<Request>& requests, const std::string& source);

/// Paths that a picture's record names are UTF-8.
void check_recorded_paths(const GenerateOptions& options);

/// --quality and --preview-every are in range; --skip-existing has names that are the same in each run.
void check_output_options(const GenerateOptions& options, bool random_seed);

}  // namespace sfumato
