#pragma once

#include <CLI/CLI.hpp>

#include "generate/options.h"

namespace sfumato {

/// Throws std::invalid_argument for an option that was given and has no effect without another one, by both names. What
/// only the model shows is a warning of the run instead (CONTRIBUTING.md).
void refuse_idle_options(const CLI::App& app, const GenerateOptions& options);

}  // namespace sfumato
