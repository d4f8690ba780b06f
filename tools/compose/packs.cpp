#include "compose/packs.h"

#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>

#include "compose/studio.h"
#include "scenes/captioned_folder.h"
#include "scenes/folder_pack.h"
#include "scenes/grammar.h"
#include "scenes/pack_writer.h"

namespace sfumato {
namespace {

constexpr std::int64_t kHeldOut = 1000;

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

void expect_fewer_held_out(std::int64_t held_out, std::int64_t count, const std::string& of) {
  if (held_out >= count)
    throw std::invalid_argument("--held-out " + std::to_string(held_out) + " of " + of + ", expected fewer");
}

std::unique_ptr<Tokenizer> open_tokenizer(const ComposeOptions& options) {
  return load_tokenizer(options.tokenizer.empty() ? shipped("tokenizer") : std::filesystem::path(options.tokenizer));
}

}  // namespace

void pack_scenes(const ComposeOptions& options) {
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

void pack_folder(const ComposeOptions& options) {
  const auto tokenizer = open_tokenizer(options);
  const auto [files, notes] = list_captioned_images(options.folder);
  for (const auto& note : notes) std::fprintf(stderr, "compose: %s\n", note.c_str());
  const auto count = static_cast<std::int64_t>(files.size());
  const auto held_out = options.held_out.value_or(default_held_out(count));
  expect_fewer_held_out(held_out, count, std::to_string(count) + " images");
  const auto contents = folder_contents(files, {.size = options.size, .held_out = held_out, .on_image = bar("read")});
  write_pack(options.pack, contents, *tokenizer);
  std::fprintf(stderr, "%s: %lld images, %lld held out\n", options.pack.c_str(), static_cast<long long>(count),
               static_cast<long long>(held_out));
}

}  // namespace sfumato
