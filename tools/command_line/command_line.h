#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace sfumato {

/// What an option is called in other programs, and what takes its place here.
struct OtherName {
  std::string name;
  std::string here;
};

/// Reads the command line into what the options of `app` are bound to. False where --help was asked for and printed.
/// Throws std::invalid_argument, of one line, for what the app refuses: a value that is no number where one is
/// expected, an option without its value or, except for prompts, with an empty one, an option given twice that is no
/// list, and an unknown option, for which it names what the option is called here (`others`) or else the nearest one.
bool parse_command_line(CLI::App& app, int argc, char** argv, const std::vector<OtherName>& others = {});

}  // namespace sfumato
