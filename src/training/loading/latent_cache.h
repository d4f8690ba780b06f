#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "checkpoints/save.h"
#include "data/pack.h"
#include "models/autoencoder_kl.h"
#include "training/run_folder.h"

namespace sfumato {

/// Latents of a run, and the autoencoder that made them, its first stage.
struct LatentCache {
  /// The images' latents of zero mean and unit deviation a channel, as diffusion works on them: float16 on the CPU,
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

/// Receives how many of `total` images are encoded: once before the first, then after each batch.
using OnEncoded = std::function<void(std::int64_t done, std::int64_t total)>;

/// The images that are encoded, by number.
struct LatentSource {
  /// Identifies them: latents of another origin are encoded anew.
  std::map<std::string, std::string> origin;
  std::int64_t size = 0;
  /// Float32 [N, C, H, W] in [-1, 1] of `indices` (int64 [N]), on the device that the autoencoder works on.
  std::function<torch::Tensor(const torch::Tensor& indices)> images;
  torch::Device device = torch::kCPU;
};

/// The images of a pack, which outlives the source, read from the file `name`.
LatentSource latent_source(Pack& pack, const std::string& name, torch::Device device);

/// Encodes every image with the autoencoder of the folder `vae`, once: the result is kept in the run's folder (vae/,
/// latents.safetensors) and read from there when the run resumes with the same folder and images; `on_encoded`, which
/// may be empty, is then not called. What a run that was killed while it encoded has done is kept aside
/// (RunFolder::unfinished_latents) and not done again. Throws std::runtime_error where the folder does not load.
LatentCache cache_latents(const RunFolder& run, const std::string& vae, const LatentSource& source,
                          const OnEncoded& on_encoded);

/// Writes the autoencoder that a run's latents come from as a folder of diffusers', in the dtype of `options`.
void export_first_stage(const RunFolder& run, const std::filesystem::path& folder, const SaveOptions& options);

}  // namespace sfumato
