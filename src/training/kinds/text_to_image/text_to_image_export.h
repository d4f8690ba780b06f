#pragma once

#include <filesystem>

#include "checkpoints/save.h"
#include "training/kinds/text_to_image/text_to_image_recipe.h"
#include "training/run_folder.h"

namespace sfumato {

/// Writes a run's averaged weights as a folder of diffusers' StableDiffusionPipeline.
void export_text_to_image(const RunFolder& run, const Checkpoint& checkpoint, const TextToImageRecipe& recipe,
                          const std::filesystem::path& folder, const SaveOptions& options);

}  // namespace sfumato
