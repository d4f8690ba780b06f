#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "checkpoints/load.h"
#include "checkpoints/tensor_file.h"
#include "models/autoencoder_kl.h"
#include "models/clip_text_model.h"
#include "models/file_part.h"
#include "models/unet_2d_condition_model.h"

namespace sfumato {

/// A text encoder in such a file.
struct OriginalTextEncoder {
  CLIPTextModelConfig config;
  /// OpenCLIP's (Stable Diffusion 2, and the second of XL), which pads with "!".
  bool is_open_clip = false;
  /// With the projection of the pooled state: CLIPTextModelWithProjection. OpenCLIP keeps its matrix the other way
  /// round, so that it is to be transposed once it is loaded.
  bool projects = false;
  KeyNames names;
};

/// A Stable Diffusion checkpoint of one file in the original layout (CompVis' and Stability AI's: keys that begin with
/// model.diffusion_model., first_stage_model. and cond_stage_model. or, of XL, conditioner.embedders.), read from its
/// keys and shapes.
struct OriginalLayout {
  UNet2DConditionModelConfig unet;
  AutoencoderKLConfig vae;
  /// False for a file without a VAE: `vae` is then the one that such a model usually has.
  bool has_vae = false;
  /// One; of XL two, of its refiner the second alone. That of Stable Diffusion 2, whose UNet takes the last but one
  /// layer's states, is without the last layer.
  std::vector<OriginalTextEncoder> text_encoders;
  /// Whether it predicts v, and whether its last timestep is pure noise, as the keys v_pred and ztsnr say, which hold
  /// nothing (ComfyUI's supported_models). A file without them may still predict v.
  bool has_v_pred = false, has_ztsnr = false;
  bool is_xl() const { return !unet.addition_embed_type.empty(); }
  bool is_refiner() const { return is_xl() && text_encoders.size() == 1; }
  /// The file's keys in the names of diffusers and transformers; each ignores what is another network's.
  KeyNames unet_names, vae_names;
};

/// The VAE's keys alone, which begin with `prefix`: first_stage_model. in a whole checkpoint, nothing in a VAE's file.
KeyNames original_vae_names(const AutoencoderKLConfig& config, const std::string& prefix);

/// True for a key of a whole checkpoint: of a network of it, its moving average, or its noise schedule, which is made
/// anew.
bool is_checkpoint_key(const std::string& key);

/// The keys of a checkpoint of which no network is made and which say nothing of one, or nothing.
std::vector<std::string> unknown_keys(const TensorFile& file);

/// The VAE of Stable Diffusion 1, 2 or XL, whichever such a UNet is of.
AutoencoderKLConfig usual_vae(const UNet2DConditionModelConfig& unet);

/// Throws std::runtime_error that says what the file is, or lacks, where it is not Stable Diffusion 1, 2 or XL.
OriginalLayout read_original_layout(const TensorFile& file);

/// Channels of a head of every transformer but Stable Diffusion 1's UNet.
inline constexpr std::int64_t kOriginalHeadWidth = 64;

/// A UNet's config from its keys and shapes. Throws std::runtime_error where no config has such blocks.
UNet2DConditionModelConfig read_original_unet(const FilePart& part);

/// A UNet's config but for its way up, from the keys and shapes of its way down: a ControlNet has no more.
UNet2DConditionModelConfig read_original_way_down(const FilePart& part);

/// No key tells how many heads there are: 8 in Stable Diffusion 1, later as many as make heads of 64 channels.
void set_heads(UNet2DConditionModelConfig& config);

/// The parameters' names by their keys in the file; a key under the prefix that no parameter has stays as it is, so
/// that loading reports it.
KeyNames names_by_key(const torch::nn::Module& network, const std::string& prefix,
                      const std::function<std::string(const std::string&)>& key_of);

/// Tensors by name.
using NamedWeights = std::map<std::string, torch::Tensor>;

/// A network's tensors in the file by their names in diffusers and transformers, in the shapes of `network`'s
/// parameters: views of the file where nothing had to be turned.
NamedWeights read_original_weights(const TensorFile& file, const torch::nn::Module& network, const KeyNames& names);

/// The same tensors under their keys in the original layout, prefix included.
NamedWeights original_unet_weights(const NamedWeights& weights, const UNet2DConditionModelConfig& config);
NamedWeights original_vae_weights(const NamedWeights& weights, const AutoencoderKLConfig& config);
/// Of CLIPTextModel or, with `projects`, CLIPTextModelWithProjection; `place` is that of a text encoder: 0 or 1 in XL,
/// -1 in Stable Diffusion 1 and 2. Version 2 gets a last layer of zeros, which it does not use and others expect.
NamedWeights original_text_weights(const NamedWeights& weights, const CLIPTextModelConfig& config, bool projects,
                                   int place);

/// The key of the original layout for a parameter of the UNet, by its name in diffusers, without model.diffusion_model.
std::string original_unet_key(const std::string& name, const UNet2DConditionModelConfig& config);
/// The same of the VAE, without first_stage_model.
std::string original_vae_key(const std::string& name, const AutoencoderKLConfig& config);
/// The parameters of CLIPTextModel that OpenCLIP keeps under `key` (without the encoder's prefix); none for what the
/// model of `layers` layers has no use for.
std::vector<std::string> names_of_open_clip_key(const std::string& key, std::int64_t layers);

}  // namespace sfumato
