#pragma once

#include "training/kinds/unconditional/example_source.h"
#include "training/loading/loader.h"
#include "training/randomness.h"

namespace sfumato {

/// Loads batches of an UnconditionalObjective: examples, mirrored at random, with noise, timesteps and classes.
class UnconditionalLoader : public Loader {
 public:
  /// The source must outlive the loader.
  UnconditionalLoader(const UnconditionalRecipe& recipe, ExampleSource& source, torch::Device device);

  Batch batch(std::int64_t number) override;
  /// Returns the examples of these indices, never mirrored, with their true classes.
  Batch held_out(const torch::Tensor& indices, at::Generator& generator) const;

 private:
  Batch examples(const torch::Tensor& indices, const torch::Tensor& mirrored) const;
  void add_noise_to(Batch& batch, at::Generator& generator) const;
  void drop_classes(Batch& batch, at::Generator& generator) const;

  std::uint64_t seed_;
  bool horizontal_flip_;
  double class_dropout_;
  std::int64_t num_train_timesteps_;
  ExampleSource& source_;
  torch::Device device_;
  ShuffledOrder order_;
};

}  // namespace sfumato
