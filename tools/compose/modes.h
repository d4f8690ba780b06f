#pragma once

#include <CLI/CLI.hpp>

namespace sfumato {

/// Throws std::invalid_argument for an option that has no effect on what the command line asks `compose` to write.
void refuse_idle_options(const CLI::App& app);

}  // namespace sfumato
