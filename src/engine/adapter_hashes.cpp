#include "engine/adapter_hashes.h"

#include <fstream>

#include "core/sha256.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

std::string read_hash(const fs::path& file, bool skips_header) {
  constexpr std::size_t kDigits = 12, kLength = 8;
  std::uint64_t begin = 0;
  if (skips_header) {
    std::ifstream in(file, std::ios::binary);
    in.read(reinterpret_cast<char*>(&begin), kLength);
    begin += kLength;
  }
  return sha256_of_file(file, begin).substr(0, kDigits);
}

}  // namespace

std::string AdapterHasher::hash_of(const fs::path& file, bool skips_header) {
  const FileState state{file, fs::file_size(file), fs::last_write_time(file)};
  auto& hash = known_[{state, skips_header}];
  if (hash.empty()) hash = read_hash(file, skips_header);
  return hash;
}

AdapterHashes AdapterHasher::hashes_of(const Adapters& adapters) {
  AdapterHashes hashes;
  for (const auto& lora : adapters.loras)
    if (fs::is_regular_file(lora.path))
      hashes.loras.emplace_back(lora.path.stem().string(), hash_of(lora.path, lora.path.extension() == ".safetensors"));
  for (const auto& path : adapters.embeddings)
    if (fs::is_regular_file(path))
      hashes.embeddings.emplace_back(path.stem().string(), hash_of(path, /*skips_header=*/false));
  return hashes;
}

}  // namespace sfumato
