#include "sample/outputs.h"

#include <set>
#include <stdexcept>

#include "engine/outputs.h"

namespace sfumato {
namespace {

using std::filesystem::path;

/// Converts out/0001-7.png, the first image's name, to out/0001-grid.png.
path beside_first(const path& first, const std::string& what) {
  const auto name = first.stem().string();
  return first.parent_path() / (name.substr(0, name.rfind('-')) + "-" + what + first.extension().string());
}

path grid_name(const SampleOptions& options, const path& first) {
  if (options.is_strip())
    return options.output.empty() ? beside_first(first, "strip") : single_output_name(options.output, options.seed);
  if (!options.grid.empty()) return single_output_name(options.grid, options.seed);
  if (options.no_grid || options.count == 1) return options.only_grid ? beside_first(first, "grid") : path();
  return beside_first(first, "grid");
}

}  // namespace

SampleOutputs plan_outputs(const SampleOptions& options) {
  const auto count = static_cast<std::size_t>(options.count);
  // A strip is one file, so it needs no name for each image.
  const OutputNames names(options.is_strip() ? "" : options.output, count);
  SampleOutputs outputs{.images = {}, .grid = grid_name(options, names.name(0, options.seed)), .animation = {}};
  if (!options.animation.empty()) outputs.animation = single_output_name(options.animation, options.seed);
  if (!options.is_strip() && !options.only_grid)
    for (std::size_t k = 0; k < count; ++k) outputs.images.push_back(names.name(k, options.seed + k));
  std::set<path> files;
  const auto plan = [&](const path& file) {
    if (!files.insert(file).second)
      throw std::invalid_argument("output '" + file.string() + "': expected another name for each file");
    check_writable(file, options.force);
  };
  for (const auto& file : outputs.images) plan(file);
  if (!outputs.grid.empty()) plan(outputs.grid);
  if (!outputs.animation.empty()) plan(outputs.animation);
  return outputs;
}

}  // namespace sfumato
