#pragma once

#include <filesystem>
#include <vector>

#include "sample/options.h"

namespace sfumato {

/// Files that a run of `sample` writes.
struct SampleOutputs {
  std::vector<std::filesystem::path> images;  ///< one each; empty if only a grid or a strip is written
  std::filesystem::path grid;                 ///< of the grid or strip; empty for none
  std::filesystem::path animation;            ///< empty for none
};

/// Chooses all file names and checks that each can be written. Throws std::invalid_argument.
SampleOutputs plan_outputs(const SampleOptions& options);

}  // namespace sfumato
