#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "core/writable.h"

namespace sfumato {

/// NAME.preview.png beside NAME.png or another.
std::filesystem::path preview_name(const std::filesystem::path& output);

/// The name of a file that a run writes once, as a grid: {seed} is replaced by the run's first seed. Throws
/// std::invalid_argument for another word in braces, and for {seed} where the run has no seed.
std::filesystem::path single_output_name(const std::string& pattern, std::optional<std::uint64_t> seed);

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
