#pragma once

#include <filesystem>
#include <memory>

#include "core/placement.h"
#include "models/autoencoder_kl.h"

namespace sfumato {

/// A VAE and its placement.
struct PlacedVae {
  std::shared_ptr<Autoencoder> network;
  Placement placement;
};

/// Loads a VAE for a pipeline at `placement`:
/// - a diffusers folder of class AutoencoderKL or AutoencoderTiny, or the one in a pipeline's folder;
/// - a file of an AutoencoderKL (safetensors or torch.save's) in diffusers' names or in the original layout, by itself
///   or in a whole checkpoint; values not in it, such as its scaling factor, are those of `own`, the model's own VAE;
/// - a file of an AutoencoderTiny in diffusers' names, or the decoder of TAESD's two files (taesd_decoder.pth), whose
///   encoder is in the same folder.
/// Its placement follows its own config's force_upcast; a file of an AutoencoderKL is treated as if it were set. Throws
/// std::runtime_error naming the path if it cannot be read or has other latents than `own`.
PlacedVae load_vae(const std::filesystem::path& path, const AutoencoderKLConfig& own, const Placement& placement);

/// Returns a VAE's placement in a pipeline at `placement`: float16 overflows in those with force_upcast.
Placement vae_placement_of(const Placement& placement, bool force_upcast);

}  // namespace sfumato
