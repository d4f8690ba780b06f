#pragma once

#include <memory>

#include "training/recipe.h"
#include "training/run_folder.h"
#include "training/task.h"

namespace sfumato {

/// The task that the recipe's kind names. Throws what reading its data and networks' configs throws.
std::unique_ptr<Task> make_task(const Recipe& recipe, const RunFolder& run, torch::Device device);

}  // namespace sfumato
