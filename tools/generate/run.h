#pragma once

#include <functional>

#include "engine/session.h"
#include "generate/options.h"

namespace sfumato {

/// Reads the program's inputs other than the model before any computation.
using Prepare = std::function<Pipeline(const GenerateOptions& options)>;

/// Runs a whole program: parses the command line, loads the model, generates the images and writes them. Returns the
/// exit code: 0, 2 for a wrong request, argument or input file, 1 for a failure, 130 after Ctrl-C, 143 after SIGTERM.
/// An error is printed as one line on standard error.
int run_generate(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv);

}  // namespace sfumato
