#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compose/options.h"
#include "scenes/cutouts.h"
#include "scenes/scene_maker.h"
#include "scenes/things.h"

namespace sfumato {

/// The things, their images, and the composer of scenes.
struct Studio {
  std::vector<Thing> things;
  Cutouts cutouts;
  SceneMaker maker;
};

/// Reads the list of things and renders their images. Throws std::runtime_error for a list or an image that cannot be
/// read.
Studio open_studio(const ComposeOptions& options);

/// Returns scenes 0 to count - 1.
std::vector<Scene> make_scenes(const SceneMaker& maker, std::int64_t count);

std::vector<std::string> captions_of(const std::vector<Scene>& scenes);

/// Returns the scenes as images [N, 3, size, size] in [0, 1].
torch::Tensor paint(const Studio& studio, const std::vector<Scene>& scenes, std::int64_t size);

/// Returns a progress bar for a loop that reports how many of how many are done.
OnImage bar(const std::string& label);

/// Returns the first of shipped_folders, or the missing folder in the sources for the error message.
std::filesystem::path shipped(const std::string& name);

}  // namespace sfumato
