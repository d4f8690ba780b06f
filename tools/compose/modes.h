#pragma once

#include <CLI/CLI.hpp>

namespace sfumato {

/// Throws std::invalid_argument for an option that has no effect on the selected output of `compose`.
void refuse_idle_options(const CLI::App& app);

}  // namespace sfumato
