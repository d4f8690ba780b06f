#pragma once

#include <filesystem>
#include <string>

#include "engine/adapter_hashes.h"
#include "engine/model_choice.h"
#include "images/write.h"
#include "systems/stable_diffusion/adapters.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Record in an image file, complete enough to generate the image again.
struct ImageRecord {
  /// Request for this image alone: its own seed, batch_count 1, its size in pixels and the sampler by name.
  Request request;
  /// As the user chose it, with the device and dtype that were used.
  ModelChoice model = {};
  /// Files, with the paths that the user gave.
  Adapters adapters{};
  /// Hashes of those files for other programs (AdapterHasher); not read back.
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
