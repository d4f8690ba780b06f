#include "compose/options.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>
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

/// Refuses an option that has no effect on the selected output.
void refuse_idle_options(const CLI::App& app) {
  const auto given = [&](const Mode& mode) { return app.get_option(mode.name)->count() > 0; };
  const auto mode = std::find_if(modes().begin(), modes().end(), given);
  if (mode == modes().end()) return;
  for (const auto* option : app.get_options())
    if (option->count() > 0 && option->get_name() != mode->name && !mode->options.contains(option->get_name()))
      throw std::invalid_argument(option->get_name() + " has no effect with " + mode->name + "; see --help");
}

}  // namespace

void add_compose_options(CLI::App& app, ComposeOptions& options) {
  app.add_option("--pack", options.pack, "write one file for train: cut-outs, layouts and token ids");
  app.add_option("--folder", options.folder,
                 "pack this folder's captioned images instead of composed scenes: .txt or .caption files, "
                 "metadata.jsonl, metadata.csv, subfolders REPEATS_CLASS");
  app.add_option("--out", options.out, "write pictures with captions (.txt, metadata.jsonl) into this folder");
  app.add_option("--sheet", options.sheet, "write one picture that shows -n scenes with their captions");
  app.add_option("--captions", options.captions, "write names and captions alone, one a line");
  app.add_flag("--every-thing", options.list_sheet, "with --sheet: every picture of the list instead of scenes");
  app.add_option("-n,--number", options.files, "scenes for --out and --sheet")->check(CLI::Range(1, 1000000));
  app.add_option("--scenes", options.scenes, "scenes for --pack and --captions")->check(CLI::Range(1, 50000000));
  app.add_option("--held-out", options.held_out,
                 "the last that many are never trained on (1000, of a folder at most a tenth)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-s,--seed", options.seed, "the same seed, the same scenes");
  app.add_option("--style", options.style,
                 "plain: large things, white behind them unless the caption names another backdrop, for small models")
      ->check(CLI::IsMember({"varied", "plain"}));
  app.add_option("--variety", options.variety,
                 "how much sizes, places, tilts and shades differ (1, with --style plain 0.15)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--size", options.size, "side in pixels of pictures in --out, --sheet and --folder")
      ->check(CLI::Range(16, 2048));
  app.add_option("--things", options.things,
                 "common: the things of everyday prompts; basic: a hundred of them, one picture a name and colour")
      ->check(CLI::IsMember({"basic", "common", "all"}));
  app.add_option("--list", options.list, "another list of things (see data/things)");
  app.add_option("--tokenizer", options.tokenizer, "folder of the tokenizer for --pack");
}

void check_compose_options(const CLI::App& app, const ComposeOptions& options) {
  const int modes = !options.pack.empty() + !options.out.empty() + !options.sheet.empty() + !options.captions.empty();
  if (modes != 1) throw std::invalid_argument("expected one of --pack, --out, --sheet and --captions");
  if (!options.sheet.empty() && std::filesystem::path(options.sheet).extension() != ".png")
    throw std::invalid_argument("--sheet '" + options.sheet + "': expected a name that ends in .png");
  if (options.list_sheet && options.sheet.empty()) throw std::invalid_argument("--every-thing needs --sheet");
  if (!options.folder.empty() && options.pack.empty()) throw std::invalid_argument("--folder needs --pack");
  refuse_idle_options(app);
}

}  // namespace sfumato
