#pragma once

#include <filesystem>
#include <string>

#include "images/png.h"
#include "pipelines/additions.h"
#include "pipelines/request.h"

namespace sfumato {

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
};

/// The text chunks `parameters` (AUTOMATIC1111's form, which other programs read) and `sfumato` (JSON).
TextChunks to_text_chunks(const PictureRecord& record);

/// The record in a PNG's chunk `sfumato`. Throws std::runtime_error naming `path` where there is none or it is damaged.
PictureRecord read_record(const std::filesystem::path& path);

}  // namespace sfumato
