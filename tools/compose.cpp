// compose: builds captioned images for training
// Builds captioned images: scenes composed of the listed things, or a folder of captioned images, as a pack for
// train, as files, or as a contact sheet.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "command_line/command_line.h"
#include "compose/options.h"
#include "compose/packs.h"
#include "compose/studio.h"
#include "core/error_text.h"
#include "core/files.h"
#include "core/json.h"
#include "images/png.h"
#include "scenes/captioned_sheet.h"

namespace {

using namespace sfumato;
namespace fs = std::filesystem;

/// Writes scenes as PNG, with the caption in a .txt file beside each (kohya's sd-scripts) and all in metadata.jsonl.
void write_files(const ComposeOptions& options) {
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
    write_png(folder / (name + ".png"), images[static_cast<std::int64_t>(i)] * 2 - 1);
    write_file_atomically(folder / (name + ".txt"), [&](std::ostream& out) { out << scenes[i].caption; });
    lines += Json{{"file_name", name + ".png"}, {"text", scenes[i].caption}}.dump() + "\n";
  }
  write_file_atomically(folder / "metadata.jsonl", [&](std::ostream& out) { out << lines; });
  std::fprintf(stderr, "%s: %zu scenes\n", options.out.c_str(), scenes.size());
}

void write_captioned(const fs::path& path, const Studio& studio, const std::vector<Scene>& scenes, std::int64_t size,
                     std::int64_t columns) {
  write_png(path, captioned_sheet(paint(studio, scenes, size), captions_of(scenes), columns) * 2 - 1);
}

void write_sheet(const ComposeOptions& options) {
  constexpr std::int64_t kColumns = 10;
  const auto studio = open_studio(options);
  const auto scenes = make_scenes(studio.maker, options.files);
  write_captioned(options.sheet, studio, scenes, options.size, kColumns);
}

/// Writes every image of the list with its name, for review.
void write_list_sheet(const ComposeOptions& options) {
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
  write_captioned(options.sheet, studio, scenes, options.size, kColumns);
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

/// Writes one caption a line, then every name and synonym: the training text of the tokenizer.
void write_captions(const ComposeOptions& options) {
  const auto studio = open_studio(options);
  const auto scenes = make_scenes(studio.maker, options.scenes);
  write_file_atomically(options.captions, [&](std::ostream& out) {
    for (const auto& name : all_names(studio.things)) out << name << "\n";
    for (const auto& scene : scenes) out << scene.caption << "\n";
  });
}

void write_output(const ComposeOptions& options) {
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
  ComposeOptions options;
  add_compose_options(app, options);
  try {
    if (!parse_command_line(app, argc, argv)) return 0;
    check_compose_options(app, options);
    write_output(options);
    return 0;
  } catch (const std::system_error& error) {
    std::cerr << "compose: " << error_text(error) << "\n";
    return 1;
  } catch (const std::exception& error) {
    std::cerr << "compose: " << error_text(error) << "\n";
    return 2;
  }
}
