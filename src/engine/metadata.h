#pragma once

#include <filesystem>
#include <string>

#include "images/write.h"
#include "systems/stable_diffusion/additions.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Hashes by which other programs find the files of a picture's additions: name and 12 hexadecimal digits.
struct AdditionHashes {
  std::vector<std::pair<std::string, std::string>> loras{}, embeddings{};
};

/// SHA-256 of each file as AUTOMATIC1111's web UI takes it: of a LoRA in safetensors without its header, of the whole
/// file otherwise. Throws std::runtime_error naming a file that cannot be read.
AdditionHashes hashes_of(const Additions& additions);

/// What a picture's file says of how it was made: enough to make it again.
struct PictureRecord {
  /// Of this one picture: its own seed, batch_count 1, its size in pixels and the sampler by name.
  Request request;
  /// As the user named it: a path, or a name under models/.
  std::string model;
  /// The VAE in place of the model's own, likewise; "" for none.
  std::string vae = {};
  /// What the user said that the model predicts; "" for nothing.
  std::string prediction = {};
  std::string device;
  std::string dtype;
  /// Whether float32 was rounded to TF32 on CUDA.
  bool tf32 = false;
  /// What the autoencoder was told about tiles, auto, on or off: they change a picture a little.
  std::string vae_tiling = "auto";
  /// Files by the paths that the user gave.
  Additions additions{};
  /// Of those files, for other programs (hashes_of); not read back.
  AdditionHashes hashes{};
};

/// The text chunks `parameters` (AUTOMATIC1111's form, which other programs read) and `sfumato` (JSON).
TextChunks to_text_chunks(const PictureRecord& record);

/// Whether an image file holds a record. Throws std::runtime_error where it cannot be read.
bool has_record(const std::filesystem::path& path);

/// The record in the text `sfumato` of a PNG, JPEG or WebP. Throws std::runtime_error naming `path` where there is none
/// or it is damaged.
PictureRecord read_record(const std::filesystem::path& path);

}  // namespace sfumato
