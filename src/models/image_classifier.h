#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "nn/layers.h"

namespace sfumato {

/// config.json of an ImageClassifier.
struct ImageClassifierConfig {
  std::int64_t in_channels = 3;
  /// Side in pixels of the training images.
  std::int64_t image_size = 64;
  std::vector<std::int64_t> block_out_channels{16, 32, 64, 128};
  std::int64_t layers_per_block = 1;
  std::int64_t norm_num_groups = 8;
  /// Names of the classes by their ids (transformers' id2label).
  std::vector<std::string> labels{};

  /// Throws std::invalid_argument for an unsupported value or labels that are not numbered from 0.
  static ImageClassifierConfig from_json(const Json& json);
  nlohmann::ordered_json to_json() const;
};

/// Convolutional network that classifies images: ResnetBlock2D at each resolution, halved from block to block, then
/// the mean over all positions. Several classes may be present: each logit is independent of the others.
class ImageClassifierImpl : public torch::nn::Module {
 public:
  using Config = ImageClassifierConfig;
  /// Allocates the weights without filling them.
  explicit ImageClassifierImpl(Config config);

  /// Maps images [N, in_channels, H, W] in [-1, 1] to logits [N, labels].
  torch::Tensor forward(const torch::Tensor& images);
  /// Features before the last layer: the mean over all positions of the last block's output, [N, width].
  torch::Tensor features(const torch::Tensor& images);
  const Config& config() const { return config_; }
  static std::string rename_key(const std::string& key) { return key; }

 private:
  Config config_;
  Conv2d conv_in_{nullptr};
  torch::nn::ModuleList down_blocks_{nullptr}, downsamplers_{nullptr};
  GroupNorm norm_out_{nullptr};
  Linear classifier_{nullptr};
};
TORCH_MODULE(ImageClassifier);

/// Rank of each of `scores` [N, K] in its row, from 0 for the largest: int64 [N, K].
torch::Tensor ranks_of(const torch::Tensor& scores);

/// True for the rows whose classes, n of them in `labels` [N, K] of 0 and 1, are the n largest `scores` [N, K].
torch::Tensor names_exactly(const torch::Tensor& scores, const torch::Tensor& labels);

}  // namespace sfumato
