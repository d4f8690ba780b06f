#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/writable.h"

namespace sfumato {

/// Returns NAME.preview.png for NAME.png or another extension.
std::filesystem::path preview_name(const std::filesystem::path& output);

/// Returns the name of a file that a run writes once, such as a grid: {seed} becomes the run's first seed. Throws
/// std::invalid_argument for another word in braces, and for {seed} in a run without a seed.
std::filesystem::path single_output_name(const std::string& pattern, std::optional<std::uint64_t> seed);

/// File names of a run's images.
class OutputNames {
 public:
  /// `pattern` may contain {seed} and {index} (from 1); "" is out/NNNN-SEED.png in the current folder, continuing after
  /// the highest number there. With several images and neither word, each name gets -{index} before its extension.
  /// Throws std::invalid_argument for another word in braces or a name without an extension that write_image takes.
  OutputNames(const std::string& pattern, std::size_t images);

  /// Counts `index` from 0.
  std::filesystem::path name(std::size_t index, std::uint64_t seed) const;

 private:
  std::string pattern_;
  std::int64_t first_ = 1;
  int digits_ = 0;
};

}  // namespace sfumato
