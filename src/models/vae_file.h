#pragma once

#include "checkpoints/load.h"
#include "checkpoints/tensor_file.h"
#include "models/autoencoder_kl.h"
#include "models/file_part.h"

namespace sfumato {

/// An AutoencoderKL in one file without config.json, recognised from its keys and shapes.
struct VaeFile {
  AutoencoderKLConfig config;
  /// Maps the file's keys to diffusers' names.
  KeyNames names;
};

/// Reads a VAE in the original layout or with diffusers' names, by itself or in a whole checkpoint (first_stage_model.,
/// vae.). Values that neither keys nor shapes determine are those of `like`. Training keys in a VAE's file (loss.,
/// model_ema.) are ignored. Throws std::runtime_error if the file holds no VAE.
VaeFile read_vae_file(const TensorFile& file, const AutoencoderKLConfig& like);

/// Derives the config of a VAE in the original layout; other values are those of `like`. Throws std::runtime_error if
/// `part` holds none.
AutoencoderKLConfig read_original_vae(const FilePart& part, AutoencoderKLConfig like);

}  // namespace sfumato
