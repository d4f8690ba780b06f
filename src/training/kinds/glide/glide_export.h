#pragma once

#include <filesystem>

#include "checkpoints/save.h"
#include "training/kinds/glide/glide_recipe.h"
#include "training/run_folder.h"

namespace sfumato {

/// Writes a run's averaged weights as a folder of a GLIDEPipeline. An upsampler's has the base model of the recipe's
/// `base` in it. Throws std::runtime_error where tokenizer or base are missing or no such folders.
void export_glide(const RunFolder& run, const Checkpoint& checkpoint, const GLIDERecipe& recipe,
                  const std::filesystem::path& folder, const SaveOptions& options);

}  // namespace sfumato
