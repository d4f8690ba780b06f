#pragma once

#include "generate/run.h"

namespace sfumato {

/// The whole of a program for the model that the command line names: run_generate, or a row of the table of the other
/// systems that have a prompt. To add one, write its row. Returns the exit code as run_generate does.
int run_for_model(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv);

}  // namespace sfumato
