#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>

#include "checkpoints/mapped_file.h"
#include "checkpoints/torch_records.h"

namespace sfumato {

/// The zip archive that torch.save writes: records by name, uncompressed, memory-mapped.
class TorchArchive final : public TorchRecords {
 public:
  /// Throws std::runtime_error naming the path if it is no such archive, a record is compressed or lies outside the
  /// file, its numbers are big-endian, or its pickle names functions or classes that weights do not need.
  explicit TorchArchive(const std::filesystem::path& path);

  const Pickle& pickle() const override { return pickle_; }
  bool contains(const std::string& key) const override { return records_.contains("data/" + key); }
  std::string_view storage(const std::string& key) const override { return record("data/" + key); }
  void release(const std::string& key) const override;

 private:
  struct Range {
    std::uint64_t begin = 0, size = 0;
  };
  void find_records(const std::filesystem::path& path);
  void read_pickle(const std::filesystem::path& path);
  std::string_view record(const std::string& name) const;

  MappedFile map_;
  Pickle pickle_;
  std::unordered_map<std::string, Range> records_;
};

}  // namespace sfumato
