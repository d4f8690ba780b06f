#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/placement.h"
#include "diffusion/schedule.h"
#include "models/autoencoder.h"
#include "models/replayed_unet.h"
#include "models/unet_2d_condition_model.h"
#include "systems/stable_diffusion/request.h"
#include "systems/stable_diffusion/text_encoder.h"
#include "systems/stable_diffusion/vocabulary.h"

namespace sfumato {

/// Parts of a diffusers StableDiffusionPipeline or StableDiffusionXLPipeline. Immutable once loaded: the state of
/// one request is in its Job (systems/stable_diffusion/job.h).
struct StableDiffusion {
  /// One; Stable Diffusion XL has two, whose states are concatenated, and its refiner has only the second.
  std::vector<TextEncoder> text_encoders;
  std::shared_ptr<UNet2DConditionModelImpl> unet;
  std::shared_ptr<Autoencoder> vae;
  Schedule schedule;
  /// From things.json, if the folder has one.
  Vocabulary things = {};
  /// Placement of the text encoders and the UNet.
  Placement placement = {};
  /// The same device; float32 if the weights' range requires it (force_upcast in float16).
  Placement vae_placement = {};
  /// True if zeros replace the states of a missing negative prompt (force_zeros_for_empty_prompt of Stable Diffusion
  /// XL). An empty one is encoded.
  bool zeros_without_negative_prompt = false;
  /// True for the refiner: a score replaces the image's target size.
  bool requires_aesthetics_score = false;
  /// Parts of its folder that are unused by default, one line each.
  std::vector<std::string> notes = {};
  /// Ignored contents of the files, for the user.
  std::vector<std::string> warnings = {};

  /// The UNet with graphs of its device; null without a CUDA device.
  std::shared_ptr<ReplayedUNet> replayed_unet = {};

  /// Returns the UNet's raw output.
  torch::Tensor predict(const UNet2DConditionInput& input) const;
  /// True if the UNet takes sizes and the pooled text, as Stable Diffusion XL's does.
  bool is_xl() const;
  /// True for a UNet trained to edit images by instructions (instruct-pix2pix): it takes an image's latents as
  /// additional channels.
  bool edits_images() const;
  /// True for a UNet trained for inpainting: it takes a mask and the masked image's latents as additional channels.
  bool takes_mask() const;
  ModelLimits limits() const;
  /// Returns the number of layers of its text encoders that clip skip can skip; 0 if there are none.
  std::int64_t clip_layers() const;
  /// Returns the sampler of the folder's scheduler, or the closest one.
  std::string default_sampler() const;
  /// Returns the default of Request::prompt_syntax: the most common syntax for CLIP's models.
  std::string default_prompt_syntax() const;
  /// Size of the training images, in pixels.
  std::int64_t default_height() const;
  std::int64_t default_width() const;
};

/// Source of a model's VAE.
struct VaeChoice {
  /// Replaces the model's own VAE, which is then not loaded and may be missing (systems/stable_diffusion/vae.h);
  /// "" for none.
  std::filesystem::path path = {};
  /// Leaves StableDiffusion::vae empty if there is none at all; a refiner needs none.
  bool may_be_missing = false;
};

/// Loads a folder or a file. A folder: model_index.json, tokenizer, text_encoder (CLIPTextModel or T5EncoderModel),
/// unet, vae and scheduler, and of Stable Diffusion XL tokenizer_2 and text_encoder_2; other parts (safety_checker,
/// feature_extractor) are ignored. Throws std::runtime_error naming the folder if a part is missing, of an
/// unknown class, damaged or has a value that is not supported. A file: a checkpoint (safetensors, .ckpt) of Stable
/// Diffusion 1, 2 or XL in the original layout, recognised by its keys and shapes. It contains no tokenizer: CLIP's
/// vocabulary is read from clip/ or open_clip/ in the first of `tokenizers` that has it.
StableDiffusion load_stable_diffusion(const std::filesystem::path& path, const Placement& placement,
                                      const std::vector<std::filesystem::path>& tokenizers = {},
                                      const VaeChoice& vae = {});

/// Overrides the UNet's prediction type: epsilon, v_prediction or sample. Throws std::invalid_argument.
void use_prediction(StableDiffusion& model, const std::string& prediction_type);

}  // namespace sfumato
