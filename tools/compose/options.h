#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace sfumato {

/// Options of compose.
struct ComposeOptions {
  std::string pack, out, folder, sheet, captions;
  std::string things = "all", list, tokenizer;
  std::int64_t scenes = 200000, files = 16, size = 128;
  std::optional<std::int64_t> held_out;  ///< default 1000, for a folder at most a tenth
  std::uint64_t seed = 1;
  std::string style = "varied";
  std::optional<double> variety;
  bool list_sheet = false;
};

void add_compose_options(CLI::App& app, ComposeOptions& options);

/// Throws std::invalid_argument unless one output is selected and each option has an effect on it.
void check_compose_options(const CLI::App& app, const ComposeOptions& options);

}  // namespace sfumato
