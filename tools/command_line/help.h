#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sfumato {

/// What --help prints, in lines of at most 80 columns but for words that are longer.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
};

}  // namespace sfumato
