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
  /// Latents of the images with zero mean and unit standard deviation in each channel, as diffusion uses them: float16
  /// on the CPU, [M, C, h, w]. They are the posterior's means. Its std is a few hundredths of theirs, less than the
  /// diffusion noise at all but the last steps; leaving it out halves the memory and saves a draw for each use.
  torch::Tensor latents;
  AutoencoderKL vae{nullptr};
};

/// Gives the autoencoder's latents zero mean and unit std in every channel, from their current `mean` and `deviation`
/// (std), float [C]. The autoencoder stays exactly the same: the change is folded into quant_conv and undone in
/// post_quant_conv, and scaling_factor becomes 1. diffusers' pipeline has only one factor for all channels. Returns
/// false, and changes nothing, if the autoencoder lacks these two layers.
bool standardise_latents(AutoencoderKLImpl& vae, const torch::Tensor& mean, const torch::Tensor& std_dev);

/// Called with the number of encoded images, of `total`: once before the first, then after each batch.
using OnEncoded = std::function<void(std::int64_t done, std::int64_t total)>;

/// Images to encode, by index.
struct LatentSource {
  /// Identifies the images: latents of another origin are computed again.
  std::map<std::string, std::string> origin;
  std::int64_t size = 0;
  /// Returns images of `indices` (int64 [N]), float32 [N, C, H, W] in [-1, 1], on the autoencoder's device.
  std::function<torch::Tensor(const torch::Tensor& indices)> images;
  torch::Device device = torch::kCPU;
};

/// Returns the images of a pack, which must outlive the source.
LatentSource latent_source(Pack& pack, torch::Device device);

/// Encodes every image once with the autoencoder of the folder `vae`. The result is kept in the run's folder (vae/,
/// latents.safetensors) and read from there when the run resumes with the same folder and images; `on_encoded`, which
/// may be empty, is then not called. A run that is killed while encoding keeps its finished parts
/// (RunFolder::unfinished_latents) and continues after them. Throws std::runtime_error if the folder does not load.
LatentCache cache_latents(const RunFolder& run, const std::string& vae, const LatentSource& source,
                          const OnEncoded& on_encoded);

/// As cache_latents, with the autoencoder and the scale of its latents as the folder has them, for a model that shares
/// the first stage of another. Latents are kept in the run's folder as NAME.safetensors, and no autoencoder.
LatentCache cache_latents_as_given(const RunFolder& run, const std::string& name, const std::string& vae,
                                   const LatentSource& source, const OnEncoded& on_encoded);

/// Throws std::invalid_argument if `value`, at `key` of a network's config, is not the number of channels of the
/// `latents` [M, C, h, w], or twice that for eps `and_variance`.
void check_latent_channels(const torch::Tensor& latents, const std::string& key, std::int64_t value,
                           bool and_variance = false);

/// Likewise, if it is not the side of the latents.
void check_latent_side(const torch::Tensor& latents, const std::string& key, std::int64_t value);

/// Writes the autoencoder of a run's latents as a diffusers folder, in the dtype of `options`.
void export_first_stage(const RunFolder& run, const std::filesystem::path& folder, const SaveOptions& options);

}  // namespace sfumato
