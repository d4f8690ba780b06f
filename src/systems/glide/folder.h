#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "models/glide_original.h"

namespace sfumato {

/// Files that a folder of GLIDE is made from: networks as OpenAI released them, and a tokenizer's folder or the two
/// files of that release, encoder.json and vocab.bpe.
struct GLIDEFiles {
  GLIDEOriginal base;
  std::optional<GLIDEOriginal> upsampler;
  std::filesystem::path tokenizer;
};

/// Reads base.pt or base-inpaint.pt and, unless its path is empty, the upsampler that goes with it. Throws
/// std::runtime_error naming the file that cannot be read or is of another kind, and where the two do not fit.
GLIDEFiles read_glide_files(const std::filesystem::path& base, const std::filesystem::path& upsampler,
                            const std::filesystem::path& tokenizer);

struct GLIDEFolderOptions {
  /// Of floating-point tensors; without one each keeps its own.
  std::optional<torch::Dtype> dtype = {};
  std::int64_t max_shard_size = 0;
  /// Called before each network; true ends the writing, which then leaves nothing.
  std::function<bool()> stop_requested = {};
};

/// Writes the folder that load_glide reads, with the released schedules: cosine for the base model, linear for the
/// upsampler. It appears under its name when it is whole. Returns false where a stop was requested before.
bool write_glide_folder(const GLIDEFiles& files, const std::filesystem::path& folder,
                        const GLIDEFolderOptions& options = {});

}  // namespace sfumato
