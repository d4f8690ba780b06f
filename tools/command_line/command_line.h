#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace sfumato {

/// Name of an option in other programs, and its replacement here.
struct OtherName {
  std::string name;
  std::string here;
};

/// Parses the command line into the variables bound to the options of `app`. Returns false after printing --help.
/// Throws std::invalid_argument with a one-line message for input that the app refuses: a non-numeric value for a
/// number, an option without its value or, except for prompts, with an empty one, a repeated option that takes no
/// list, or an unknown option. For the last, the message names its equivalent here (`others`) or the nearest option.
bool parse_command_line(CLI::App& app, int argc, char** argv, const std::vector<OtherName>& others = {});

}  // namespace sfumato
