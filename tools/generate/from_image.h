#pragma once

#include <string>

#include "generate/options.h"
#include "generate/request_options.h"

namespace sfumato {

/// Sets the options from the record in an image file, as if the command line had set them. For an image of another
/// program, unsupported settings are listed on standard error. Throws std::invalid_argument for an image of another of
/// our programs, and std::runtime_error for a file without a record.
void start_from_image(const GenerateProgram& program, const std::string& path, GenerateOptions& options,
                      RequestArguments& asked);

}  // namespace sfumato
