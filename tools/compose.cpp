// compose: builds captioned images for training
// Builds captioned images: scenes composed of the listed things, or a folder of captioned images, as a pack for
// train, as files, or as a contact sheet.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "command_line/command_line.h"
#include "compose/modes.h"
#include "core/error_text.h"
#include "core/files.h"
#include "core/json.h"
#include "core/progress.h"
#include "data/composite.h"
#include "scenes/captioned_folder.h"
#include "scenes/captioned_sheet.h"
#include "scenes/cutouts.h"
#include "scenes/grammar.h"
#include "scenes/pack_writer.h"
#include "scenes/scene_maker.h"
#include "scenes/style.h"
#include "scenes/things.h"

namespace {

using namespace sfumato;
namespace fs = std::filesystem;

/// Side of a cutout's square.
constexpr std::int64_t kCutoutSize = 112;
constexpr std::int64_t kBatch = 64;
constexpr std::int64_t kHeldOut = 1000;

struct Options {
  std::string pack, out, folder, sheet, captions;
  std::string things = "all", list, tokenizer;
  std::int64_t scenes = 200000, files = 16, size = 128;
  std::optional<std::int64_t> held_out;  ///< default 1000, for a folder at most a tenth
  std::uint64_t seed = 1;
  std::string style = "varied";
  std::optional<double> variety;
  bool list_sheet = false;
};

/// Returns a progress bar for a loop that reports how many of how many are done.
OnImage bar(const std::string& label) {
  auto progress = std::make_shared<std::optional<Progress>>();
  return [label, progress](std::size_t done, std::size_t all) {
    if (!*progress) progress->emplace(label, static_cast<std::int64_t>(all));
    (*progress)->update(static_cast<std::int64_t>(done));
    if (done == all) (*progress)->finish();
  };
}

/// Returns a folder that ships with the program: beside the installed program, else in the sources.
fs::path shipped(const fs::path& name) {
  std::error_code error;
  const auto installed = fs::read_symlink("/proc/self/exe", error).parent_path().parent_path() / "share/sfumato" / name;
  return fs::exists(installed, error) ? installed : fs::path(SFUMATO_SOURCE_DIR) / name;
}

/// The things, their images, and the composer of scenes.
struct Studio {
  std::vector<Thing> things;
  Cutouts cutouts;
  SceneMaker maker;
};

std::vector<Thing> chosen_things(const Options& options) {
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

SceneStyle style_of(const Options& options) {
  auto style = options.style == "plain" ? plain_style() : SceneStyle{};
  if (options.variety) style.variety = *options.variety;
  return style;
}

Studio open_studio(const Options& options) {
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

/// Returns the captions of sample grids: the promised prompt first, then each kind of scene.
std::vector<std::string> probes() {
  return {"a cat on a sofa",
          "a cat",
          "a dog",
          "a red sofa",
          "a wooden chair",
          "a house",
          "a red apple",
          "a car",
          "a tree",
          "a dog on a chair",
          "a cat to the left of a dog",
          "two cats",
          "three red apples",
          "a bird in the sky",
          "a horse on the grass",
          "a banana on a blue background"};
}

/// Returns every name with its alternatives: synonyms, and the plurals of countable things.
std::map<std::string, std::vector<std::string>> vocabulary(const std::vector<Thing>& things) {
  std::map<std::string, std::vector<std::string>> words;
  for (const auto& thing : things) {
    std::set<std::string> others;
    const auto add = [&](const Noun& noun) {
      others.insert(noun.text);
      if (!noun.mass) others.insert(plural_of(noun));
    };
    add(thing.name);
    for (const auto& image : thing.images) {
      for (const auto& noun : image.synonyms) add(noun);
    }
    others.erase(thing.name.text);
    words[thing.name.text] = {others.begin(), others.end()};
  }
  return words;
}

/// Returns the thing of each image, in the order of images_of.
std::vector<std::string> names_of_cutouts(const std::vector<Thing>& things) {
  std::vector<std::string> names;
  for (const auto& thing : things) names.insert(names.end(), thing.images.size(), thing.name.text);
  return names;
}

std::set<std::string> all_names(const std::vector<Thing>& things) {
  std::set<std::string> names;
  for (const auto& thing : things) {
    names.insert(thing.name.text);
    for (const auto& image : thing.images) {
      for (const auto& noun : image.synonyms) names.insert(noun.text);
    }
  }
  return names;
}

void expect_fewer_held_out(std::int64_t held_out, std::int64_t count, const std::string& of) {
  if (held_out >= count)
    throw std::invalid_argument("--held-out " + std::to_string(held_out) + " of " + of + ", expected fewer");
}

std::unique_ptr<Tokenizer> open_tokenizer(const Options& options) {
  return load_tokenizer(options.tokenizer.empty() ? shipped("tokenizer") : fs::path(options.tokenizer));
}

void pack_scenes(const Options& options) {
  const auto held_out = options.held_out.value_or(kHeldOut);
  expect_fewer_held_out(held_out, options.scenes, "--scenes " + std::to_string(options.scenes));
  const auto tokenizer = open_tokenizer(options);
  const auto studio = open_studio(options);
  const auto scenes = make_scenes(studio.maker, options.scenes);
  PackContents contents{.cutouts = studio.cutouts.rgba,
                        .scenes = to_tensors(scenes),
                        .captions = captions_of(scenes),
                        .probes = probes(),
                        .things = vocabulary(studio.things),
                        .cutout_things = names_of_cutouts(studio.things),
                        .held_out = held_out};
  write_pack(options.pack, contents, *tokenizer);
  std::fprintf(stderr, "%s: %zu scenes of %zu things in %zu pictures, %lld held out\n", options.pack.c_str(),
               scenes.size(), studio.things.size(), studio.cutouts.extents.size(), static_cast<long long>(held_out));
}

void pack_folder(const Options& options) {
  const auto tokenizer = open_tokenizer(options);
  const auto [files, notes] = list_captioned_images(options.folder);
  for (const auto& note : notes) std::fprintf(stderr, "compose: %s\n", note.c_str());
  const auto count = static_cast<std::int64_t>(files.size());
  const auto held_out = options.held_out.value_or(std::min(kHeldOut, count / 10));
  expect_fewer_held_out(held_out, count, std::to_string(count) + " images");
  const auto rows = caption_rows(files);
  PackContents contents{.images = read_squares(files, options.size, bar("read")), .captions = rows.captions};
  if (rows.captions.size() != files.size()) contents.image_indices = torch::tensor(rows.image, torch::kInt64);
  contents.held_out = std::count_if(rows.image.begin(), rows.image.end(),
                                    [&](std::int64_t image) { return image >= count - held_out; });
  for (std::size_t i = 0; i < files.size() && i < 16; ++i) contents.probes.push_back(files[i].captions.front());
  write_pack(options.pack, contents, *tokenizer);
  std::fprintf(stderr, "%s: %lld images, %lld held out\n", options.pack.c_str(), static_cast<long long>(count),
               static_cast<long long>(held_out));
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

/// Writes scenes as PNG, with the caption in a .txt file beside each (kohya's sd-scripts) and all in metadata.jsonl.
void write_files(const Options& options) {
  const fs::path folder(options.out);
  if (fs::exists(folder / "metadata.jsonl")) {
    throw std::runtime_error(folder.string() + " holds scenes already; give an empty folder");
  }
  const auto studio = open_studio(options);
  const auto scenes = make_scenes(studio.maker, options.files);
  const auto images = paint(studio, scenes, options.size);
  std::string lines;
  for (std::size_t i = 0; i < scenes.size(); ++i) {
    const auto digits = std::to_string(i);
    const auto name = std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
    write_png(folder / (name + ".png"), images[static_cast<std::int64_t>(i)]);
    write_file_atomically(folder / (name + ".txt"), [&](std::ostream& out) { out << scenes[i].caption; });
    lines += Json{{"file_name", name + ".png"}, {"text", scenes[i].caption}}.dump() + "\n";
  }
  write_file_atomically(folder / "metadata.jsonl", [&](std::ostream& out) { out << lines; });
  std::fprintf(stderr, "%s: %zu scenes\n", options.out.c_str(), scenes.size());
}

void write_sheet(const Options& options) {
  constexpr std::int64_t kColumns = 10;
  const auto studio = open_studio(options);
  const auto scenes = make_scenes(studio.maker, options.files);
  write_png(options.sheet, captioned_sheet(paint(studio, scenes, options.size), captions_of(scenes), kColumns));
}

/// Writes every image of the list with its name, for review.
void write_list_sheet(const Options& options) {
  constexpr std::int64_t kColumns = 24;
  const auto studio = open_studio(options);
  std::vector<Scene> scenes;
  for (const auto& thing : studio.things) {
    for (const auto& image : thing.images) {
      Scene scene;
      scene.items = {{.cutout = scenes.size(), .side = .96}};
      scene.caption = image.colour.empty() ? thing.name.text : image.colour + " " + thing.name.text;
      scenes.push_back(std::move(scene));
    }
  }
  write_png(options.sheet, captioned_sheet(paint(studio, scenes, options.size), captions_of(scenes), kColumns));
}

/// Writes one caption a line, then every name and synonym: the training text of the tokenizer.
void write_captions(const Options& options) {
  const auto studio = open_studio(options);
  const auto scenes = make_scenes(studio.maker, options.scenes);
  write_file_atomically(options.captions, [&](std::ostream& out) {
    for (const auto& name : all_names(studio.things)) out << name << "\n";
    for (const auto& scene : scenes) out << scene.caption << "\n";
  });
}

void add_options(CLI::App& app, Options& options) {
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

void run(const CLI::App& app, const Options& options) {
  const int modes = !options.pack.empty() + !options.out.empty() + !options.sheet.empty() + !options.captions.empty();
  if (modes != 1) throw std::invalid_argument("expected one of --pack, --out, --sheet and --captions");
  if (!options.sheet.empty() && fs::path(options.sheet).extension() != ".png")
    throw std::invalid_argument("--sheet '" + options.sheet + "': expected a name that ends in .png");
  if (options.list_sheet && options.sheet.empty()) throw std::invalid_argument("--every-thing needs --sheet");
  if (!options.folder.empty() && options.pack.empty()) throw std::invalid_argument("--folder needs --pack");
  refuse_idle_options(app);
  if (!options.out.empty()) return write_files(options);
  if (!options.captions.empty()) return write_captions(options);
  if (!options.sheet.empty()) return options.list_sheet ? write_list_sheet(options) : write_sheet(options);
  if (!options.folder.empty()) return pack_folder(options);
  pack_scenes(options);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Composes captioned pictures of things from Debian's packages, for train and for looking at.",
               "compose");
  Options options;
  add_options(app, options);
  try {
    if (parse_command_line(app, argc, argv)) run(app, options);
    return 0;
  } catch (const std::system_error& error) {
    std::cerr << "compose: " << error_text(error) << "\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "compose: " << error_text(error) << "\n";
    return 2;
  }
}
