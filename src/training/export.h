#pragma once

#include <filesystem>

#include "checkpoints/save.h"
#include "training/run_folder.h"

namespace sfumato {

/// Writes a run's averaged weights as a folder that diffusers opens: of kind vae an AutoencoderKL, of kind
/// text_to_image a StableDiffusionPipeline, of kind classifier an ImageClassifier (its pack must still be there).
/// Throws std::runtime_error where the run has no checkpoint and std::invalid_argument where its recipe is not valid.
void export_run(const RunFolder& run, const std::filesystem::path& folder, const SaveOptions& options);

}  // namespace sfumato
