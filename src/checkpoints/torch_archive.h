#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>

#include "checkpoints/mapped_file.h"

namespace sfumato {

/// The zip archive that torch.save writes: records by name, uncompressed, memory-mapped.
class TorchArchive {
 public:
  /// Throws std::runtime_error naming the path where it is no such archive, a record is compressed or lies outside the
  /// file, or the numbers in it are big-endian.
  explicit TorchArchive(const std::filesystem::path& path);

  bool contains(const std::string& name) const { return records_.contains(name); }
  /// The bytes of a record, which live as long as the archive. Throws std::out_of_range.
  std::string_view record(const std::string& name) const;
  /// Gives back the memory that holds a record's bytes. Throws std::out_of_range.
  void release(const std::string& name) const;

 private:
  struct Range {
    std::uint64_t begin = 0, size = 0;
  };
  void find_records(const std::filesystem::path& path);

  MappedFile map_;
  std::unordered_map<std::string, Range> records_;
};

}  // namespace sfumato
