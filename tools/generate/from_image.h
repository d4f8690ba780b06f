#pragma once

#include <string>

#include "generate/options.h"
#include "generate/request_options.h"

namespace sfumato {

/// Sets what the record in an image file holds, as if the command line had named it. Of an image that another program
/// made, what cannot be taken over is listed on standard error. Throws std::invalid_argument for an image that another
/// of our programs makes, and std::runtime_error for a file without a record.
void start_from_image(const GenerateProgram& program, const std::string& path, GenerateOptions& options,
                      RequestArguments& asked);

}  // namespace sfumato
