#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/composite.h"

namespace sfumato {

/// Texts stored as one run of bytes and their offsets.
struct PackTexts {
  torch::Tensor bytes;    // uint8 [B]
  torch::Tensor offsets;  // int64 [M + 1]

  std::int64_t size() const { return offsets.size(0) - 1; }
  std::string at(std::int64_t index) const;
};

/// Cut-outs, and their pyramid on the device of the latest use.
struct PackCutouts {
  torch::Tensor rgba;  // uint8 [K, 4, S, S]
  std::optional<CutoutPyramid> pyramid = {};
};

/// Content of one file of a Pack.
struct PackFile {
  std::filesystem::path path;
  torch::Tensor pixels;                  // uint8 [K, 3, H, W], or undefined
  torch::Tensor pixel_rows;              // int64 [M], the image of each caption; undefined where M = K, in order
  std::shared_ptr<PackCutouts> cutouts;  // null where the file holds images; equal ones of several files are shared
  torch::Tensor thing_of;                // int32 [K], the number of each cut-out's thing, or undefined
  SceneBatch scenes;                     // of cutouts
  torch::Tensor token_ids;               // int32 [M, L]
  torch::Tensor empty;                   // int32 [L]
  torch::Tensor probe_ids;               // int32 [P, L]
  PackTexts captions, probes;
  std::int64_t held_out = 0;
  std::map<std::string, std::vector<std::string>> things;

  std::int64_t size() const { return token_ids.size(0); }
  std::int64_t training() const { return size() - held_out; }
  /// Images of `rows` (int64 [N]), composed ones with `side` pixels: float32 [N, 3, H, W] in [-1, 1] on the device.
  torch::Tensor images(const torch::Tensor& rows, std::int64_t side, torch::Device device);
  /// Marks the things of these scenes by their number in `things`: float32 [N, T]. thing_of is defined.
  torch::Tensor thing_labels(const torch::Tensor& rows) const;
};

/// Throws std::runtime_error naming the path and anything missing, misshapen or out of range.
PackFile read_pack_file(const std::filesystem::path& path);

}  // namespace sfumato
