#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "systems/stable_diffusion/adapters.h"

namespace sfumato {

/// Hashes by which other programs find an image's adapters and embeddings: name and 12 hexadecimal digits.
struct AdapterHashes {
  std::vector<std::pair<std::string, std::string>> loras{}, embeddings{};
};

/// Hashes the files of a run's adapters. Reads a file again only if its size or modification time has changed.
class AdapterHasher {
 public:
  /// Returns the SHA-256 of each file as AUTOMATIC1111's web UI computes it: of a LoRA in safetensors without its
  /// header, of any other file as a whole. Throws std::runtime_error naming a file that cannot be read.
  AdapterHashes hashes_of(const Adapters& adapters);

 private:
  using FileState = std::tuple<std::filesystem::path, std::uintmax_t, std::filesystem::file_time_type>;

  std::string hash_of(const std::filesystem::path& file, bool skips_header);

  std::map<std::pair<FileState, bool>, std::string> known_;
};

}  // namespace sfumato
