#pragma once

#include <torch/torch.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "data/pack.h"
#include "evaluation/distances.h"
#include "evaluation/judge.h"
#include "systems/clip.h"

namespace sfumato {

/// Returns the indices of a pack's held-out scenes, int64 [M]. Throws std::runtime_error for a pack without any.
torch::Tensor held_out_scenes(const Pack& pack);

/// Throws std::invalid_argument for fewer images than the distances need.
void check_count(std::int64_t images, const std::string& of);

/// Distances of images to others by a judge's features.
struct Distances {
  double frechet = 0, kernel = 0;
  PrecisionRecall overlap;
};

/// Of the features of both, [N, D].
Distances distances(const torch::Tensor& real, const torch::Tensor& generated);

/// Features of images [N, 3, H, W] in [-1, 1], [N, D].
torch::Tensor judged_features(Judge& judge, const torch::Tensor& images);

/// Mean CLIP score of images and their captions.
double mean_clip_score(const CLIP& clip, const torch::Tensor& images, const std::vector<std::string>& captions);

void print_distances(const Distances& distances);
void add_distances(const Distances& distances, nlohmann::ordered_json& json);

}  // namespace sfumato
