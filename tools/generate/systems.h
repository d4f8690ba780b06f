#pragma once

#include "generate/run.h"

namespace sfumato {

/// Runs the program for the model on the command line: run_generate, or the matching row of the table of the other
/// systems with prompts. To add a system, write its row. Returns the exit code as run_generate does.
int run_for_model(const GenerateProgram& program, const Prepare& prepare, int argc, char** argv);

}  // namespace sfumato
