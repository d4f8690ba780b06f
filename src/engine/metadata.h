#pragma once

#include <filesystem>
#include <string>

#include "images/write.h"
#include "systems/stable_diffusion/adapters.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Hashes by which other programs find an image's adapters and embeddings: name and 12 hexadecimal digits.
struct AdapterHashes {
  std::vector<std::pair<std::string, std::string>> loras{}, embeddings{};
};

/// Returns the SHA-256 of each file as AUTOMATIC1111's web UI computes it: of a LoRA in safetensors without its header,
/// of any other file as a whole. Throws std::runtime_error naming a file that cannot be read.
AdapterHashes hashes_of(const Adapters& adapters);

/// Record in an image file, complete enough to generate the image again.
struct ImageRecord {
  /// Request for this image alone: its own seed, batch_count 1, its size in pixels and the sampler by name.
  Request request;
  /// As on the command line: a path, or a name under models/.
  std::string model;
  /// Replaces the model's own VAE, in the same form; "" for none.
  std::string vae = {};
  /// Prediction type that the user set; "" for none.
  std::string prediction = {};
  std::string device;
  std::string dtype;
  /// True if float32 could be rounded to TF32 on CUDA.
  bool tf32 = false;
  /// Tiling of the autoencoder: auto, on or off. Tiles change an image slightly.
  std::string vae_tiling = "auto";
  /// Files, with the paths that the user gave.
  Adapters adapters{};
  /// Hashes of those files for other programs (hashes_of); not read back.
  AdapterHashes hashes{};
};

/// Returns the text chunks `parameters` (AUTOMATIC1111's form, for other programs) and `sfumato` (JSON).
TextChunks to_text_chunks(const ImageRecord& record);

/// True if an image file contains a record. Throws std::runtime_error if it cannot be read.
bool has_record(const std::filesystem::path& path);

/// Reads the record in the text `sfumato` of a PNG, JPEG or WebP. Throws std::runtime_error naming `path` if it is
/// missing or damaged.
ImageRecord read_record(const std::filesystem::path& path);

}  // namespace sfumato
