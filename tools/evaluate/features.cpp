#include "evaluate/features.h"

#include <cstdio>
#include <stdexcept>

#include "systems/clip_score.h"

namespace sfumato {
namespace {

constexpr std::int64_t kBatch = 16;
constexpr std::int64_t kFewest = 4;  // precision and recall are measured to the third-nearest neighbour

}  // namespace

torch::Tensor held_out_scenes(const Pack& pack) {
  if (pack.held_out() == 0) throw std::runtime_error("the pack holds no scene out, expected some (compose --held-out)");
  return torch::arange(pack.size() - pack.held_out(), pack.size());
}

void check_count(std::int64_t images, const std::string& of) {
  if (images < kFewest)
    throw std::invalid_argument(of + ": " + std::to_string(images) + " images, expected at least " +
                                std::to_string(kFewest));
}

Distances distances(const torch::Tensor& real, const torch::Tensor& generated) {
  return {.frechet = frechet_distance(real, generated),
          .kernel = kernel_distance(real, generated),
          .overlap = precision_recall(real, generated)};
}

torch::Tensor judged_features(Judge& judge, const torch::Tensor& images) {
  std::vector<torch::Tensor> features;
  for (const auto& part : images.split(kBatch)) features.push_back(judge.features(part));
  return torch::cat(features);
}

double mean_clip_score(const CLIP& clip, const torch::Tensor& images, const std::vector<std::string>& captions) {
  std::vector<torch::Tensor> scores;
  for (std::int64_t first = 0; first < images.size(0); first += kBatch) {
    const auto length = std::min(kBatch, images.size(0) - first);
    scores.push_back(clip_scores(clip, images.narrow(0, first, length),
                                 {captions.begin() + first, captions.begin() + first + length}));
  }
  return torch::cat(scores).mean().item<double>();
}

void print_distances(const Distances& distances) {
  std::printf("by the judge's features: Frechet distance %.3f, kernel distance %.5f, precision %.3f, recall %.3f\n",
              distances.frechet, distances.kernel, distances.overlap.precision, distances.overlap.recall);
}

void add_distances(const Distances& distances, nlohmann::ordered_json& json) {
  json["frechet_distance"] = distances.frechet;
  json["kernel_distance"] = distances.kernel;
  json["precision"] = distances.overlap.precision;
  json["recall"] = distances.overlap.recall;
}

}  // namespace sfumato
