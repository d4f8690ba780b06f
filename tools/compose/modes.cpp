#include "compose/modes.h"

#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace sfumato {
namespace {

/// Mode of the program: the option that selects it, and the other options that it takes.
struct Mode {
  std::string name;
  std::set<std::string> options;
};

/// Returns the modes; the first whose option is given is selected.
const std::vector<Mode>& modes() {
  static const std::vector<Mode> all = {
      {"--folder", {"--pack", "--held-out", "--size", "--tokenizer"}},
      {"--pack", {"--scenes", "--held-out", "--tokenizer", "--seed", "--style", "--variety", "--things", "--list"}},
      {"--captions", {"--scenes", "--seed", "--style", "--variety", "--things", "--list"}},
      {"--out", {"--number", "--size", "--seed", "--style", "--variety", "--things", "--list"}},
      {"--every-thing", {"--sheet", "--size", "--things", "--list"}},
      {"--sheet", {"--number", "--size", "--seed", "--style", "--variety", "--things", "--list"}}};
  return all;
}

}  // namespace

void refuse_idle_options(const CLI::App& app) {
  const auto given = [&](const Mode& mode) { return app.get_option(mode.name)->count() > 0; };
  const auto mode = std::find_if(modes().begin(), modes().end(), given);
  if (mode == modes().end()) return;
  for (const auto* option : app.get_options())
    if (option->count() > 0 && option->get_name() != mode->name && !mode->options.contains(option->get_name()))
      throw std::invalid_argument(option->get_name() + " has no effect with " + mode->name + "; see --help");
}

}  // namespace sfumato
