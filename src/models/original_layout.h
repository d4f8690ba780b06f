#pragma once

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "models/autoencoder_kl.h"
#include "models/clip_text_model.h"
#include "models/unet_2d_condition_model.h"

namespace sfumato {

/// A Stable Diffusion checkpoint of one file in the original layout (CompVis' and Stability AI's: keys that begin with
/// model.diffusion_model., first_stage_model. and cond_stage_model.), read from its keys and shapes.
struct OriginalLayout {
  UNet2DConditionModelConfig unet;
  AutoencoderKLConfig vae;
  /// Of Stable Diffusion 2, whose UNet takes the last but one layer's states, without the last layer.
  CLIPTextModelConfig text_encoder;
  /// OpenCLIP's text encoder (Stable Diffusion 2), which pads with "!".
  bool is_open_clip = false;
  /// The file's keys in the names of diffusers and transformers; each ignores what is another network's.
  KeyNames unet_names, vae_names, text_encoder_names;
};

/// Throws std::runtime_error that says what the file is, or lacks, where it is not Stable Diffusion 1 or 2.
OriginalLayout read_original_layout(const SafetensorsFile& file);

/// The key of the original layout for a parameter of the UNet, by its name in diffusers, without model.diffusion_model.
std::string original_unet_key(const std::string& name, const UNet2DConditionModelConfig& config);
/// The same of the VAE, without first_stage_model.
std::string original_vae_key(const std::string& name, const AutoencoderKLConfig& config);
/// The parameters of CLIPTextModel that OpenCLIP keeps under `key` (without cond_stage_model.model.); none for what the
/// model of `layers` layers has no use for.
std::vector<std::string> names_of_open_clip_key(const std::string& key, std::int64_t layers);

}  // namespace sfumato
