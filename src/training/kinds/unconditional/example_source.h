#pragma once

#include <memory>

#include "data/image_set.h"
#include "models/autoencoder_kl.h"
#include "training/kinds.h"
#include "training/kinds/unconditional/unconditional_recipe.h"

namespace sfumato {

/// The x0 of an unconditional run by number: images, or the latents that a first stage made of them, with their
/// classes.
class ExampleSource {
 public:
  /// Opens the recipe's images and, with a first stage, encodes them, mirrored ones too where the recipe flips. Throws
  /// std::invalid_argument where they do not fit the network's channels, size or classes.
  ExampleSource(const UnconditionalRecipe& recipe, const TaskContext& context);

  std::int64_t size() const { return images_->size(); }
  std::int64_t held_out() const { return images_->held_out(); }
  /// {C, H, W} of an x0.
  std::vector<std::int64_t> shape() const;
  /// Number of classes that the network is given; 0 without.
  std::int64_t classes() const { return classes_; }

  /// Float32 [N, C, H, W] on the device of `indices`; where `mirrored` (bool [N] on the CPU) holds, from left to right.
  torch::Tensor x0(const torch::Tensor& indices, const torch::Tensor& mirrored);
  /// int64 [N] on the CPU.
  torch::Tensor labels(const torch::Tensor& indices) const { return images_->labels(indices); }
  /// Images of x0, [N, 3, H', W'].
  torch::Tensor decode(const torch::Tensor& x0);

 private:
  void check_network_classes(const UnconditionalRecipe& recipe);
  void encode(const UnconditionalRecipe& recipe, const TaskContext& context);

  std::unique_ptr<ImageSet> images_;
  torch::Device device_;
  std::int64_t classes_ = 0;
  torch::Tensor latents_;  // float16 [M, C, h, w] or, with mirrored ones after the others, [2M, C, h, w]
  AutoencoderKL vae_{nullptr};
};

}  // namespace sfumato
