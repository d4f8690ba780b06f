#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.h"
#include "training/adamw.h"

namespace sfumato {

/// kind text_to_image: pictures that are seen more often than others.
struct EmphasisRecipe {
  /// In lower case.
  std::vector<std::string> words;
  /// How many times an epoch a picture is seen whose caption has one of the words.
  std::int64_t repeats = 1;
};

/// Where the pictures come from.
struct DataRecipe {
  /// A packed training file (data/pack.h).
  std::string pack;
  std::int64_t image_size = 128;
  /// kind vae: square crops of this many pixels, drawn at random; 0 trains on whole pictures.
  std::int64_t crop_size = 0;
  /// kind text_to_image: the share of captions replaced by the empty one, for classifier-free guidance.
  double caption_dropout = 0.1;
  EmphasisRecipe emphasis;
};

/// The weights of the parts of the loss.
struct LossRecipe {
  /// kind vae: mean square and mean absolute error of pixels in [-1, 1], and the KL divergence per latent value.
  double l2_weight = 1.0;
  double l1_weight = 0.0;
  double kl_weight = 1e-4;
  /// kind text_to_image: min-SNR weighting (Hang et al. 2023); 0 weighs all levels alike.
  double min_snr_gamma = 0.0;
  /// Timesteps u of [0, 1) become shift u / (1 + (shift - 1) u) (Esser et al. 2024, eq. 23): above 1, more of them are
  /// noisy ones, where small latents get their shapes.
  double timestep_shift = 1.0;
};

/// The pictures that a run draws of itself at intervals.
struct SampleRecipe {
  std::int64_t count = 16;
  std::int64_t steps = 20;
  double guidance_scale = 4.0;
};

/// All that decides a run. `networks` hold diffusers' and transformers' config keys.
struct Recipe {
  std::string kind;
  std::uint64_t seed = 0;
  std::int64_t steps = 1000;
  /// Rows of a batch, and batches whose gradients make one update.
  std::int64_t batch_size = 16, gradient_accumulation_steps = 1;
  DataRecipe data;
  /// kind vae: the AutoencoderKL's config. kind text_to_image: the folder of a trained one.
  Json vae;
  /// kind vae: trains the decoder and post_quant_conv alone, so that latents, and what was trained on them, stay valid.
  bool freeze_encoder = false;
  /// kind classifier: the ImageClassifier's config, without labels.
  Json classifier;
  /// kind text_to_image: configs of UNet2DConditionModel, T5EncoderModel and the scheduler, and the tokenizer's folder.
  Json unet, text_encoder, scheduler;
  std::string tokenizer;
  AdamWOptions optimizer;
  std::int64_t warmup_steps = 100;
  double final_lr = 0.0;
  double clip_grad_norm = 1.0;
  double ema_decay = 0.999;
  /// fp32, bf16 (autocast; weights and optimizer stay in float32) or auto (autocast.h).
  std::string precision = "fp32";
  LossRecipe loss;
  SampleRecipe sample;
  std::int64_t log_every = 10;
  std::int64_t sample_every = 500;
  std::int64_t checkpoint_every = 500;
};

/// Reads a recipe strictly: an unknown key, a missing one that has no default, or a value out of range throws
/// std::invalid_argument that names it; `where` names the file.
Recipe parse_recipe(const Json& json, const std::string& where);

/// Throws std::invalid_argument where `recipe` trains other networks, or another process, than `begun`, the recipe that
/// a run was begun with: its weights would not fit, or mean something else. What else differs may, a longer run's steps
/// or another learning rate. Both have been read by parse_recipe without complaint; `where` names the file of `begun`.
void check_continues(const Json& recipe, const Json& begun, const std::string& where);

/// Sets the value at a dotted path ("optimizer.lr=1e-4"): JSON where it parses as such, else a string.
/// Throws std::invalid_argument where there is no '=' or the path runs through a value that is no object.
void apply_setting(Json& recipe, const std::string& setting);

}  // namespace sfumato
