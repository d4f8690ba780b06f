#pragma once

#include <filesystem>

#include "checkpoints/save.h"
#include "training/kinds/glide/glide_recipe.h"
#include "training/run_folder.h"

namespace sfumato {

/// Throws std::invalid_argument if an upsampler's `vae` is not that of its `base`, with the same weights: both stages
/// of a folder share one. Accepts a base that is missing.
void check_shared_vae(const GLIDERecipe& recipe);

/// Writes a run's averaged weights as a folder of a GLIDEPipeline. An upsampler's has the base model of the recipe's
/// `base` in it. Throws std::runtime_error where tokenizer or base are missing or no such folders.
void export_glide(const RunFolder& run, const Checkpoint& checkpoint, const GLIDERecipe& recipe,
                  const std::filesystem::path& folder, const SaveOptions& options);

}  // namespace sfumato
