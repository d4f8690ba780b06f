#pragma once

#include "data/pack.h"
#include "models/image_classifier.h"
#include "training/kinds/classifier/classifier_recipe.h"
#include "training/randomness.h"
#include "training/task.h"

namespace sfumato {

/// Classifies the things of composed scenes: the loss is the binary cross-entropy summed over all classes.
/// Batch: "images" float32 [N, 3, H, W] in [-1, 1], "labels" float32 [N, K] of 0 and 1.
class ClassifierObjective : public Objective {
 public:
  /// Allocates the weights without filling or placing them.
  ClassifierObjective(const ClassifierRecipe& recipe, std::vector<std::string> labels, torch::Device device);
  void place();

  TrainableSet tensors() override;
  torch::Tensor loss(const Batch& batch) override;

  ImageClassifier classifier;

 private:
  torch::Device device_;
  bool bfloat16_;
};

/// Loads batches of a ClassifierObjective: scenes of a pack with the things in them.
class SceneLoader : public Loader {
 public:
  /// The pack must outlive the loader.
  SceneLoader(const ClassifierRecipe& recipe, Pack& pack, torch::Device device);

  Batch batch(std::int64_t number) override { return examples(order_.batch(number)); }
  /// Returns the scenes of these indices.
  Batch examples(const torch::Tensor& indices);

 private:
  Pack& pack_;
  torch::Device device_;
  ShuffledOrder order_;
};

/// Trains an ImageClassifier on the scenes of a pack, whose things are the labels.
class ClassifierTask : public Task {
 public:
  ClassifierTask(const ClassifierRecipe& recipe, torch::Device device);

  Objective& objective() override { return objective_; }
  std::unique_ptr<Objective> new_objective() const override;
  Loader& loader() override { return loader_; }
  void init_from(const std::filesystem::path& folder) override;
  /// Returns {"held_out_accuracy": the share of held-out scenes whose n things are the n likeliest classes}.
  Json evaluate(std::int64_t step) override;
  /// Returns held-out scenes, wrongly classified ones first.
  torch::Tensor sample_grid() override;

 private:
  /// True for the rows of `images` whose things are the likeliest classes.
  torch::Tensor named(const torch::Tensor& images, const torch::Tensor& labels);

  ClassifierRecipe recipe_;
  torch::Device device_;
  Pack pack_;
  ClassifierObjective objective_;
  SceneLoader loader_;
};

}  // namespace sfumato
