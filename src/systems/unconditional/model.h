#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/placement.h"
#include "diffusion/schedule.h"
#include "models/unet_2d_model.h"
#include "systems/first_stage.h"

namespace sfumato {

/// The parts of diffusers' DDPMPipeline, DDIMPipeline or LDMPipeline: an unconditional or class-conditional diffusion
/// model of pixels or of latents. Immutable once loaded.
struct Unconditional {
  std::shared_ptr<UNet2DModelImpl> unet;
  FirstStage first_stage;
  Schedule schedule;
  /// Of the UNet.
  Placement placement;
  /// The class that stands for none of a model trained with class_dropout, where its unet's config names one
  /// (`_none_class`, which `train --export` writes).
  std::optional<std::int64_t> none_class = {};
  /// model_index.json's `_class_name`.
  std::string pipeline_class;

  /// One x: [C, h, w].
  std::vector<std::int64_t> shape() const;
  /// Pixels of an image.
  std::int64_t height() const;
  std::int64_t width() const;
  /// True if the UNet takes a class label.
  bool is_class_conditional() const;
  /// The sampler that the folder's pipeline runs: ddim of a DDIMPipeline, whatever its scheduler; else the scheduler's.
  std::string default_sampler() const;
};

/// Loads a folder: model_index.json, unet (UNet2DModel), scheduler, and vqvae or vae of a model of latents. Throws
/// std::runtime_error naming the folder where a part is missing, of an unknown class, damaged or has a value that is
/// not supported, and where the folder holds a model of another system.
Unconditional load_unconditional(const std::filesystem::path& folder, const Placement& placement);

}  // namespace sfumato
