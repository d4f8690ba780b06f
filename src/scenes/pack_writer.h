#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "scenes/scene.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {

/// Scenes in the form of the pack and of compose_scenes.
struct SceneTensors {
  torch::Tensor items{};       // float32 [M, 3, 6]
  torch::Tensor background{};  // float32 [M, 8]
};
SceneTensors to_tensors(const std::vector<Scene>& scenes);

/// Contents of a pack: either `cutouts` and `scenes`, or `images`.
struct PackContents {
  torch::Tensor cutouts{};  // uint8 [K, 4, S, S]
  SceneTensors scenes{};
  torch::Tensor images{};         // uint8 [K, 3, H, W]
  torch::Tensor image_indices{};  // int64 [M], the image of each caption; undefined where M = K, in order
  std::vector<std::string> captions{};
  /// Prompts for sample grids.
  std::vector<std::string> probes{};
  /// Names of the things with their synonyms and plurals: the vocabulary of a model trained on this pack.
  std::map<std::string, std::vector<std::string>> things{};
  /// The thing of each cut-out, a key of `things`.
  std::vector<std::string> cutout_things{};
  std::int64_t held_out = 0;
};

/// Writes a pack for data/pack.h, with tokenized captions. Throws std::invalid_argument if the counts disagree,
/// std::runtime_error if writing fails.
void write_pack(const std::filesystem::path& path, const PackContents& contents, const Tokenizer& tokenizer);

}  // namespace sfumato
