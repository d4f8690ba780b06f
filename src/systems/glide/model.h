#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "core/placement.h"
#include "diffusion/schedule.h"
#include "models/glide_text_model.h"
#include "models/replayed_unet.h"
#include "models/unet_2d_condition_model.h"
#include "systems/chain.h"
#include "systems/first_stage.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {

/// One of the two diffusion models of GLIDE: a UNet and the text transformer trained with it. The UNet predicts eps
/// and the interpolation of the variance (Nichol & Dhariwal 2021, eq. 15).
struct GLIDEStage {
  std::shared_ptr<GLIDETextModelImpl> text_encoder;
  std::shared_ptr<UNet2DConditionModelImpl> unet;
  Schedule schedule;
  /// The UNet with graphs of its device; null without a CUDA device.
  std::shared_ptr<ReplayedUNet> replayed_unet = {};

  /// Returns the UNet's raw output.
  torch::Tensor predict(const UNet2DConditionInput& input) const;
  /// Returns C of x [N, C, h, w].
  std::int64_t channels() const { return unet->config().out_channels / 2; }
  std::int64_t side() const { return unet->config().sample_size.front(); }
  /// Returns the shape of one x: [C, h, w].
  std::vector<std::int64_t> shape() const { return {channels(), side(), side()}; }
  ReverseProcess process() const;
};

/// GLIDE (Nichol et al. 2021) of pixels, or of an autoencoder's latents: a base model and, if the folder has one, an
/// upsampler. Immutable once loaded.
struct GLIDE {
  std::shared_ptr<const Tokenizer> tokenizer;
  GLIDEStage base;
  std::optional<GLIDEStage> upsampler;
  FirstStage first_stage;
  /// Placement of the text transformers and UNets.
  Placement placement;

  /// True if the UNets receive a masked image and its mask.
  bool inpaints() const;
  /// Returns the side of a stage's images in pixels.
  std::int64_t pixels(const GLIDEStage& stage) const { return stage.side() * first_stage.downscale_factor(); }
};

/// Loads a folder whose model_index.json has the class GLIDEPipeline (docs/glide.md). Parts are named as those of
/// diffusers 0.0.4's pipeline GLIDE: text_encoder, text_unet, text_noise_scheduler, tokenizer, upscale_unet and
/// upscale_noise_scheduler. upscale_text_encoder is the upsampler's own text transformer, vae the first stage of a
/// model of latents. Throws std::runtime_error naming the folder if a part is missing, of an unknown class, damaged,
/// or incompatible with the others.
GLIDE load_glide(const std::filesystem::path& folder, const Placement& placement);

}  // namespace sfumato
