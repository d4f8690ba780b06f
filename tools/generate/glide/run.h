#pragma once

#include "generate/options.h"

namespace sfumato {

/// The whole of txt2img or inpaint with a model of GLIDE: reads the command line, loads the model, makes the images and
/// writes them. Returns the exit code as run_generate does.
int run_glide(const GenerateProgram& program, int argc, char** argv);

}  // namespace sfumato
