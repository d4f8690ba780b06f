#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace sfumato {

/// Throws std::invalid_argument where a file could not be made at `path` (a missing right, a folder of that name, or
/// an existing file and not `force`), and leaves nothing behind.
void check_writable(const std::filesystem::path& path, bool force);

/// NAME.preview.png beside NAME.png or another.
std::filesystem::path preview_name(const std::filesystem::path& output);

/// The names of a run's pictures.
class OutputNames {
 public:
  /// `pattern` with {seed} and {index} (from 1); "" is out/NNNN-SEED.png in the current folder, counting on from the
  /// highest there. Of several pictures and a pattern without either, each gets -{index} before its extension.
  /// Throws std::invalid_argument for another word in braces or a name without an extension that write_image takes.
  OutputNames(const std::string& pattern, std::size_t pictures);

  /// `index` from 0.
  std::filesystem::path name(std::size_t index, std::uint64_t seed) const;

 private:
  std::string pattern_;
  std::int64_t first_ = 1;
  int digits_ = 0;
};

}  // namespace sfumato
