#pragma once

#include <functional>

#include "generate/options.h"
#include "systems/stable_diffusion/generate.h"

namespace sfumato {

/// text_to_image, or another with its picture.
using Pipeline = std::function<Generated(const StableDiffusion& model, const Request& request, const OnStep& on_step,
                                         const Attachments& attachments)>;

/// Reads what the program needs besides the model before anything is computed.
using Prepare = std::function<Pipeline(const GenerateOptions& options)>;

/// The whole of a program: reads the command line, loads the model, makes the pictures and writes them. Returns the
/// exit code: 0, 2 for a wrong request, argument or input file, 1 for a failure, 130 where Ctrl-C ended it; what went
/// wrong is one line on standard error.
int run_generate(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv);

}  // namespace sfumato
