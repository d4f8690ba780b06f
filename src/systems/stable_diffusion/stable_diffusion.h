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
#include "models/unet_2d_condition_model.h"
#include "systems/stable_diffusion/known_things.h"
#include "systems/stable_diffusion/request.h"
#include "systems/stable_diffusion/text_encoder.h"

namespace sfumato {

/// The parts of a diffusers StableDiffusionPipeline or StableDiffusionXLPipeline. Immutable once loaded: what belongs
/// to one request is in its Job (systems/stable_diffusion/job.h).
struct StableDiffusion {
  /// One; Stable Diffusion XL has two, whose states are put side by side, and its refiner the second alone.
  std::vector<TextEncoder> text_encoders;
  std::shared_ptr<UNet2DConditionModelImpl> unet;
  std::shared_ptr<Autoencoder> vae;
  Schedule schedule;
  /// From things.json, where the folder has one.
  KnownThings things = {};
  /// Of the text encoders and the UNet.
  Placement placement = {};
  /// The same device; float32 where the weights' range asks for it (force_upcast in float16).
  Placement vae_placement = {};
  /// Where no negative prompt is given, zeros stand for its states (force_zeros_for_empty_prompt of Stable Diffusion
  /// XL); an empty one is encoded.
  bool zeros_without_negative_prompt = false;
  /// The refiner's: a score takes the place of the picture's target size.
  bool requires_aesthetics_score = false;
  /// What of its folder takes no part unasked, one line each.
  std::vector<std::string> notes = {};
  /// What of the files was left out, for the user to read.
  std::vector<std::string> warnings = {};

  /// Whether the UNet is told sizes and the pooled text, as Stable Diffusion XL's.
  bool is_xl() const;
  /// True for a UNet trained to edit images by instructions (instruct-pix2pix): it takes an image's latents as channels
  /// after the latents' own.
  bool edits_images() const;
  /// True for a UNet trained for inpainting: it takes a mask and the masked image's latents as such channels.
  bool takes_mask() const;
  ModelLimits limits() const;
  /// Layers of its text encoders that clip skip can leave out; 0 where there is none.
  std::int64_t clip_layers() const;
  /// The sampler that the folder's scheduler is, or comes nearest to.
  std::string default_sampler() const;
  /// Request::prompt_syntax where it is left open: what most who use CLIP's models write.
  std::string default_prompt_syntax() const;
  /// Of the pictures it was trained on, in pixels.
  std::int64_t default_height() const;
  std::int64_t default_width() const;
};

/// Where a model's VAE comes from.
struct VaeChoice {
  /// A VAE in place of the model's own, which is then not loaded and may be missing (systems/stable_diffusion/vae.h);
  /// "" for none.
  std::filesystem::path path = {};
  /// Leaves StableDiffusion::vae empty where there is none at all, as a refiner needs none.
  bool may_be_missing = false;
};

/// Loads a folder or a file. A folder: model_index.json, tokenizer, text_encoder (CLIPTextModel or T5EncoderModel),
/// unet, vae and scheduler, and of Stable Diffusion XL tokenizer_2 and text_encoder_2; other parts (safety_checker,
/// feature_extractor) are not looked at. Throws std::runtime_error naming the folder where a part is missing, of an
/// unknown class, damaged or has a value that is not supported. A file: a checkpoint (safetensors, .ckpt) of Stable
/// Diffusion 1, 2 or XL in the original layout, recognised by its keys and shapes. It brings no tokenizer: CLIP's
/// vocabulary is taken from clip/ or open_clip/ in the first of `tokenizers` that has it.
StableDiffusion load_stable_diffusion(const std::filesystem::path& path, const Placement& placement,
                                      const std::vector<std::filesystem::path>& tokenizers = {},
                                      const VaeChoice& vae = {});

/// Replaces what the UNet is taken to predict: epsilon, v_prediction or sample. Throws std::invalid_argument.
void use_prediction(StableDiffusion& model, const std::string& prediction_type);

}  // namespace sfumato
