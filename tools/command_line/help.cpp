#include "command_line/help.h"

#include <sstream>

namespace sfumato {
namespace {

constexpr std::size_t kWidth = 80;

/// Wraps `text` into lines that begin at `column`; the first line is already indented.
std::string wrapped(const std::string& text, std::size_t column) {
  std::string lines;
  std::istringstream words(text);
  auto at = column;
  for (std::string word; words >> word; at += word.size()) {
    if (at == column) {
      lines += word;
    } else if (at + 1 + word.size() <= kWidth) {
      lines += ' ' + word;
      ++at;
    } else {
      lines += '\n' + std::string(column, ' ') + word;
      at = column;
    }
  }
  return lines;
}

void replace_all(std::string& text, const std::string& what, const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at))
    text.replace(at, what.size(), with);
}

/// Returns "-W,--width INT" and, of CLI11's additions, only the default: the description covers the rest.
std::string without_checks(std::string option) {
  replace_all(option, "{false}", "");
  const auto checks = option.find(':');
  if (checks == std::string::npos) return option;
  const auto value = option.rfind('=');
  return option.substr(0, checks) + (value == std::string::npos || value < checks ? "" : option.substr(value));
}

}  // namespace

std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  auto text = wrapped(app->get_description(), 0) + "\n" + make_usage(app, name) + make_positionals(app) +
              make_groups(app, mode);
  replace_all(text, "\n\n\n", "\n\n");
  return text;
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  auto line = "  " + without_checks(make_option_name(option, is_positional) + make_option_opts(option));
  const auto column = get_column_width();
  if (line.size() + 1 > column)
    line += '\n' + std::string(column, ' ');
  else
    line.resize(column, ' ');
  return line + wrapped(make_option_desc(option), column) + '\n';
}

}  // namespace sfumato
