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
  /// True if it projects the pooled state: CLIPTextModelWithProjection. OpenCLIP stores the transposed matrix, which
  /// must be transposed after loading.
  bool projects = false;
  KeyNames names;
};

/// A Stable Diffusion checkpoint in one file in the original layout (CompVis' and Stability AI's: keys that begin with
/// model.diffusion_model., first_stage_model. and cond_stage_model. or, for XL, conditioner.embedders.), recognised
/// from its keys and shapes.
struct OriginalLayout {
  UNet2DConditionModelConfig unet;
  AutoencoderKLConfig vae;
  /// False for a file without a VAE: `vae` is then the usual one of such a model.
  bool has_vae = false;
  /// One; for XL two, for its refiner only the second. That of Stable Diffusion 2, whose UNet uses the states of the
  /// last but one layer, lacks the last layer.
  std::vector<OriginalTextEncoder> text_encoders;
  /// True if the file has the empty keys v_pred (it predicts v) and ztsnr (its last timestep is pure noise), as in
  /// ComfyUI's supported_models. A file without them may still predict v.
  bool has_v_pred = false, has_ztsnr = false;
  /// True if the file has the keys edm_mean and edm_std: latents_mean and latents_std of a model of EDM's form
  /// (Playground 2.5).
  bool has_edm_latents = false;
  bool is_xl() const { return !unet.addition_embed_type.empty(); }
  bool is_refiner() const { return is_xl() && text_encoders.size() == 1; }
  /// Map the file's keys to the names of diffusers and transformers; each ignores keys of other networks.
  KeyNames unet_names, vae_names;
};

/// Maps only the VAE's keys, which begin with `prefix`: first_stage_model. in a whole checkpoint, "" in a VAE's file.
KeyNames original_vae_names(const AutoencoderKLConfig& config, const std::string& prefix);

/// True for a key of a whole checkpoint: of one of its networks, its moving average, or its noise schedule, which is
/// computed again.
bool is_checkpoint_key(const std::string& key);

/// Returns the keys of a checkpoint that neither belong to a network nor describe one.
std::vector<std::string> unknown_keys(const TensorFile& file);

/// Returns the VAE's config of Stable Diffusion 1, 2 or XL, whichever the UNet belongs to.
AutoencoderKLConfig usual_vae(const UNet2DConditionModelConfig& unet);

/// Throws std::runtime_error naming the file's kind or its missing keys if it is not Stable Diffusion 1, 2 or XL.
OriginalLayout read_original_layout(const TensorFile& file);

/// Channels of a head in all transformers except Stable Diffusion 1's UNet.
inline constexpr std::int64_t kOriginalHeadWidth = 64;

/// Derives a UNet's config from its keys and shapes. Throws std::runtime_error if no config has such blocks.
UNet2DConditionModelConfig read_original_unet(const FilePart& part);

/// Derives a UNet's config except its up blocks from the keys and shapes of its down blocks: a ControlNet has no more.
UNet2DConditionModelConfig read_original_way_down(const FilePart& part);

/// Sets the number of heads, which no key determines: 8 in Stable Diffusion 1, later as many as have 64 channels each.
void set_heads(UNet2DConditionModelConfig& config);

/// Maps keys of the file to parameters' names. A key under the prefix without a parameter stays unchanged, so that
/// loading reports it.
KeyNames names_by_key(const torch::nn::Module& network, const std::string& prefix,
                      const std::function<std::string(const std::string&)>& key_of);

/// Tensors by name.
using NamedWeights = std::map<std::string, torch::Tensor>;

/// Reads a network's tensors by their names in diffusers and transformers, in the shapes of `network`'s parameters:
/// views of the file unless a tensor had to be transposed.
NamedWeights read_original_weights(const TensorFile& file, const torch::nn::Module& network, const KeyNames& names);

/// Returns the same tensors under their keys in the original layout, prefix included.
NamedWeights original_unet_weights(const NamedWeights& weights, const UNet2DConditionModelConfig& config);
NamedWeights original_vae_weights(const NamedWeights& weights, const AutoencoderKLConfig& config);
/// Likewise for CLIPTextModel or, with `projects`, CLIPTextModelWithProjection; `place` is the text encoder's index: 0
/// or 1 in XL, -1 in Stable Diffusion 1 and 2. Version 2 gets a last layer of zeros, unused but expected by others.
NamedWeights original_text_weights(const NamedWeights& weights, const CLIPTextModelConfig& config, bool projects,
                                   int place);

/// Returns the original layout's key for the diffusers name of a UNet's parameter, without model.diffusion_model.
std::string original_unet_key(const std::string& name, const UNet2DConditionModelConfig& config);
/// Returns the same for the VAE, without first_stage_model.
std::string original_vae_key(const std::string& name, const AutoencoderKLConfig& config);
/// Names of CLIPTextModel's parameters that OpenCLIP stores under `key` (without the encoder's prefix); none for a key
/// that the model of `layers` layers does not use.
std::vector<std::string> names_of_open_clip_key(const std::string& key, std::int64_t layers);

}  // namespace sfumato
