#pragma once

#include <CLI/CLI.hpp>

#include "generate/options.h"

namespace sfumato {

/// Throws std::invalid_argument, with both names, for an option that has no effect without another one. Cases that
/// depend on the loaded model are warnings of the run instead (CONTRIBUTING.md).
void refuse_idle_options(const CLI::App& app, const GenerateOptions& options);

}  // namespace sfumato
