#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "models/image_classifier.h"

namespace sfumato {

/// A trained ImageClassifier that names the things in images.
class Judge {
 public:
  /// Loads a folder that `train --export` wrote for a run of kind classifier. Throws std::runtime_error naming the
  /// folder if its config or weights are missing or do not fit.
  explicit Judge(const std::filesystem::path& folder);

  /// Scores of all labels, float32 [N, K], for images [N, 3, H, W] in [-1, 1] of any size.
  torch::Tensor scores(const torch::Tensor& images);
  /// Features to measure distances with (evaluation/distances.h), float32 [N, D].
  torch::Tensor features(const torch::Tensor& images);
  const std::vector<std::string>& labels() const { return classifier_->config().labels; }

 private:
  torch::Tensor resized(const torch::Tensor& images) const;

  ImageClassifier classifier_;
};

/// Counts of images whose things a judge names correctly.
struct NamingCounts {
  /// Images of a single thing, and those for which it is the likeliest label or among the five likeliest.
  std::int64_t singles = 0, top1 = 0, top5 = 0;
  /// Images of two different things, and those for which they are the two likeliest labels.
  std::int64_t pairs = 0, both = 0;

  /// Adds the images of a batch: scores [N, K], labels [N, K] of 0 and 1. Rows with no thing or more than two are
  /// skipped.
  void add(const torch::Tensor& scores, const torch::Tensor& labels);
};

}  // namespace sfumato
