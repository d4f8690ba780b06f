#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

namespace sfumato {

/// A regular file mapped read-only; its bytes are read when they are first accessed.
class MappedFile {
 public:
  /// Throws std::runtime_error naming the path and the reason.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }

  /// Returns the memory of bytes [begin, begin + size) to the system; a later access reads them from the file again.
  void release(std::size_t begin, std::size_t size) const;

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace sfumato
