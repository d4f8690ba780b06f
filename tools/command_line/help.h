#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sfumato {

/// Formats the output of --help in lines of at most 80 columns, except for longer words.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace sfumato
