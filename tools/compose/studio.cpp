#include "compose/studio.h"

#include <memory>
#include <optional>
#include <stdexcept>

#include "core/progress.h"
#include "core/shipped_folders.h"
#include "data/composite.h"
#include "scenes/style.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Side of a cutout's square.
constexpr std::int64_t kCutoutSize = 112;
constexpr std::int64_t kBatch = 64;

std::vector<Thing> chosen_things(const ComposeOptions& options) {
  auto things = read_things(options.list.empty() ? shipped("data/things") / "things.tsv" : fs::path(options.list));
  if (options.things == "common") std::erase_if(things, [](const Thing& thing) { return !thing.common; });
  if (options.things == "basic") {
    for (auto& thing : things) {
      std::erase_if(thing.images, [](const Image& image) { return !image.basic; });
    }
    std::erase_if(things, [](const Thing& thing) { return thing.images.empty(); });
  }
  if (things.empty()) throw std::runtime_error("no thing of the list is marked " + options.things);
  return things;
}

SceneStyle style_of(const ComposeOptions& options) {
  auto style = options.style == "plain" ? plain_style() : SceneStyle{};
  if (options.variety) style.variety = *options.variety;
  return style;
}

}  // namespace

OnImage bar(const std::string& label) {
  auto progress = std::make_shared<std::optional<Progress>>();
  return [label, progress](std::size_t done, std::size_t all) {
    if (!*progress) progress->emplace(label, static_cast<std::int64_t>(all));
    (*progress)->update(static_cast<std::int64_t>(done));
    if (done == all) (*progress)->finish();
  };
}

fs::path shipped(const std::string& name) {
  const fs::path source = SFUMATO_SOURCE_DIR;
  const auto folders = shipped_folders(name, source);
  return folders.empty() ? source / name : folders.front();
}

Studio open_studio(const ComposeOptions& options) {
  auto things = chosen_things(options);
  ImageSources sources;
  const auto list = options.list.empty() ? shipped("data/things") : fs::path(options.list).parent_path();
  sources.drawings = list / "drawings";
  auto cutouts = render_cutouts(images_of(things), sources, kCutoutSize, bar("rendered"));
  SceneMaker maker(things, cutouts, options.seed, style_of(options));
  return {std::move(things), std::move(cutouts), std::move(maker)};
}

std::vector<Scene> make_scenes(const SceneMaker& maker, std::int64_t count) {
  const auto progress = bar("invented");
  std::vector<Scene> scenes;
  for (std::int64_t i = 0; i < count; ++i) {
    scenes.push_back(maker.scene(static_cast<std::uint64_t>(i)));
    progress(static_cast<std::size_t>(i) + 1, static_cast<std::size_t>(count));
  }
  return scenes;
}

std::vector<std::string> captions_of(const std::vector<Scene>& scenes) {
  std::vector<std::string> captions;
  for (const auto& scene : scenes) captions.push_back(scene.caption);
  return captions;
}

torch::Tensor paint(const Studio& studio, const std::vector<Scene>& scenes, std::int64_t size) {
  const CutoutPyramid pyramid(studio.cutouts.rgba, torch::kCPU);
  const auto tensors = to_tensors(scenes);
  std::vector<torch::Tensor> parts;
  for (std::int64_t start = 0; start < tensors.items.size(0); start += kBatch) {
    const auto count = std::min(kBatch, tensors.items.size(0) - start);
    parts.push_back(compose_scenes(
        pyramid, {tensors.items.narrow(0, start, count), tensors.background.narrow(0, start, count)}, size));
  }
  return torch::cat(parts);
}

}  // namespace sfumato
