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
#include "models/replayed_unet.h"
#include "models/unet_2d_model.h"
#include "systems/first_stage.h"

namespace sfumato {

/// Parts of diffusers' DDPMPipeline, DDIMPipeline or LDMPipeline: an unconditional or class-conditional diffusion
/// model of pixels or of latents. Immutable once loaded.
struct Unconditional {
  std::shared_ptr<UNet2DModelImpl> unet;
  FirstStage first_stage;
  Schedule schedule;
  /// Placement of the UNet.
  Placement placement;
  /// Class that represents no class in a model trained with class_dropout, if its unet's config contains one
  /// (`_none_class`, which `train --export` writes).
  std::optional<std::int64_t> none_class = {};
  /// model_index.json's `_class_name`.
  std::string pipeline_class;
  /// The UNet with graphs of its device; null without a CUDA device.
  std::shared_ptr<ReplayedFunction> replayed_unet = {};

  /// Returns the UNet's raw output at x [N, C, h, w] and a timestep [1], for `labels` [N] of a class-conditional model.
  torch::Tensor predict(const torch::Tensor& x, const torch::Tensor& timestep, const torch::Tensor& labels) const;
  /// Returns the shape of one x: [C, h, w].
  std::vector<std::int64_t> shape() const;
  /// Size of an image in pixels.
  std::int64_t height() const;
  std::int64_t width() const;
  /// True if the UNet takes a class label.
  bool is_class_conditional() const;
  /// Returns the sampler of the folder's pipeline: ddim of a DDIMPipeline with any scheduler, else the scheduler's.
  std::string default_sampler() const;
};

/// Loads a folder: model_index.json, unet (UNet2DModel), scheduler, and vqvae or vae for a model of latents. Throws
/// std::runtime_error naming the folder if a part is missing, of an unknown class, damaged or has a value that is
/// not supported, and if the folder contains a model of another system.
Unconditional load_unconditional(const std::filesystem::path& folder, const Placement& placement);

}  // namespace sfumato
