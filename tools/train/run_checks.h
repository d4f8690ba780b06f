#pragma once

#include "core/json.h"
#include "train/arguments.h"
#include "training/kinds.h"

namespace sfumato {

/// Returns the recipe with the replacements of the command line. Throws std::invalid_argument for a missing recipe and
/// for a value that is set twice.
Json read_recipe(const Arguments& arguments);

/// Checks the run's folder against the command line and, if it contains a run, the job against that one. Prints
/// warnings. Throws std::invalid_argument.
void check_run(const Arguments& arguments, const TrainingJob& job);

}  // namespace sfumato
