#pragma once

#include "checkpoints/load.h"
#include "checkpoints/tensor_file.h"
#include "models/autoencoder_kl.h"
#include "models/file_part.h"

namespace sfumato {

/// An AutoencoderKL of one file without config.json, read from its keys and shapes.
struct VaeFile {
  AutoencoderKLConfig config;
  /// The file's keys in diffusers' names.
  KeyNames names;
};

/// Reads a VAE in the original layout or in diffusers' names, by itself or in a whole checkpoint (first_stage_model.,
/// vae.). Values that neither keys nor shapes give are those of `like`. What training leaves in a VAE's file (loss.,
/// model_ema.) is ignored. Throws std::runtime_error where the file holds no VAE.
VaeFile read_vae_file(const TensorFile& file, const AutoencoderKLConfig& like);

/// The config of a VAE in the original layout; the other values are those of `like`. Throws std::runtime_error where
/// `part` holds none.
AutoencoderKLConfig read_original_vae(const FilePart& part, AutoencoderKLConfig like);

}  // namespace sfumato
