#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "models/glide_original.h"

namespace sfumato {

/// Source files of a GLIDE folder: networks as OpenAI released them, and a tokenizer's folder or the two
/// files of that release, encoder.json and vocab.bpe.
struct GLIDEFiles {
  GLIDEOriginal base;
  std::optional<GLIDEOriginal> upsampler;
  std::filesystem::path tokenizer;
};

/// Reads base.pt or base-inpaint.pt and, unless its path is empty, the matching upsampler. Throws
/// std::runtime_error naming a file that cannot be read or is of another kind, and if the two do not match.
GLIDEFiles read_glide_files(const std::filesystem::path& base, const std::filesystem::path& upsampler,
                            const std::filesystem::path& tokenizer);

struct GLIDEFolderOptions {
  /// Dtype of floating-point tensors; by default each keeps its own.
  std::optional<torch::Dtype> dtype = {};
  std::int64_t max_shard_size = 0;
  /// Called before each network; true cancels the writing and leaves no files.
  std::function<bool()> stop_requested = {};
};

/// Writes the folder that load_glide reads, with the released noise schedules: cosine for the base model, linear for
/// the upsampler. It gets its name when it is complete. Returns false if a stop was requested before.
bool write_glide_folder(const GLIDEFiles& files, const std::filesystem::path& folder,
                        const GLIDEFolderOptions& options = {});

}  // namespace sfumato
