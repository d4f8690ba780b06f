#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/placement.h"
#include "diffusion/schedule.h"
#include "models/autoencoder_kl.h"
#include "models/unet_2d_condition_model.h"
#include "pipelines/known_things.h"
#include "pipelines/request.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {

/// ids [N, L] int64 to hidden states [N, L, D], both on the model's device.
using TextEncoder = std::function<torch::Tensor(const torch::Tensor& ids)>;

/// The parts of a diffusers StableDiffusionPipeline.
struct StableDiffusion {
  std::unique_ptr<Tokenizer> tokenizer;
  TextEncoder text_encoder;
  std::shared_ptr<UNet2DConditionModelImpl> unet;
  std::shared_ptr<AutoencoderKLImpl> vae;
  Schedule schedule;
  /// From things.json, where the folder has one.
  KnownThings things;
  /// Of the text encoder and the UNet.
  Placement placement;
  /// The same device; float32 where the weights' range asks for it (force_upcast in float16).
  Placement vae_placement;

  ModelLimits limits() const;
  /// The sampler that the folder's scheduler is, or comes nearest to.
  std::string default_sampler() const;
  /// Of the pictures it was trained on, in pixels.
  std::int64_t default_height() const;
  std::int64_t default_width() const;
};

/// Loads a folder or a file. A folder: model_index.json, tokenizer, text_encoder (CLIPTextModel or T5EncoderModel),
/// unet, vae and scheduler; other parts (safety_checker, feature_extractor) are not looked at. Throws
/// std::runtime_error naming the folder where a part is missing, of an unknown class, damaged or has a value that is
/// not supported. A file: a safetensors checkpoint of Stable Diffusion 1 or 2 in the original layout, recognised by its
/// keys and shapes. It brings no tokenizer: CLIP's vocabulary is taken from clip/ or open_clip/ in the first of
/// `tokenizers` that has it.
StableDiffusion load_stable_diffusion(const std::filesystem::path& path, const Placement& placement,
                                      const std::vector<std::filesystem::path>& tokenizers = {});

}  // namespace sfumato
