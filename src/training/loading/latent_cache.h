#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>

#include "data/pack.h"
#include "models/autoencoder_kl.h"
#include "training/recipe.h"
#include "training/run_folder.h"

namespace sfumato {

/// What a text-to-image run needs of a trained autoencoder.
struct LatentCache {
  /// The pictures' latents of zero mean and unit deviation a channel, as diffusion works on them: float16 on the CPU,
  /// [M, C, h, w]. They are the posterior's means: its deviation is a few hundredths of theirs, which the diffusion's
  /// own noise covers at all but the last steps, so that half of the memory and a draw a view are saved.
  torch::Tensor latents;
  AutoencoderKL vae{nullptr};
};

/// Makes the autoencoder's latents have zero mean and unit deviation in every channel, given their present `mean` and
/// `deviation` (float [C]): exactly the same autoencoder, since the change is folded into quant_conv and undone in
/// post_quant_conv, and scaling_factor becomes 1. diffusers' pipeline knows only one factor for all channels. Returns
/// false, and changes nothing, where the autoencoder lacks these two layers.
bool standardise_latents(AutoencoderKLImpl& vae, const torch::Tensor& mean, const torch::Tensor& deviation);

/// Told how many of `total` pictures are encoded: once before the first, then after each batch.
using OnEncoded = std::function<void(std::int64_t done, std::int64_t total)>;

/// Encodes every picture of the pack with the autoencoder of the recipe's folder `vae`, once: the result is kept in
/// the run's folder (vae/, latents.safetensors) and read from there when the run continues with the same folder and
/// pack; `on_encoded`, which may be empty, then hears nothing. What a run that was killed while it encoded has done is
/// kept aside (RunFolder::unfinished_latents) and not done again. Throws std::runtime_error where the folder does not
/// load.
LatentCache cache_latents(const RunFolder& run, const Recipe& recipe, Pack& pack, torch::Device device,
                          const OnEncoded& on_encoded);

}  // namespace sfumato
