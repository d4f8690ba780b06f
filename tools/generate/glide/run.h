#pragma once

#include "generate/options.h"

namespace sfumato {

/// Runs txt2img or inpaint with a model of GLIDE: parses the command line, loads the model, generates the images and
/// writes them. Returns the exit code as run_generate does.
int run_glide(const GenerateProgram& program, int argc, char** argv);

}  // namespace sfumato
