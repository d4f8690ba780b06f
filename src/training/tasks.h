#pragma once

#include <memory>

#include "training/latent_cache.h"
#include "training/recipe.h"
#include "training/run_folder.h"
#include "training/task.h"

namespace sfumato {

/// The task that the recipe's kind names. Throws what reading its data and networks' configs throws. `on_encoded` may
/// be empty; it hears of the pictures that kind text_to_image encodes.
std::unique_ptr<Task> make_task(const Recipe& recipe, const RunFolder& run, torch::Device device,
                                const OnEncoded& on_encoded);

}  // namespace sfumato
