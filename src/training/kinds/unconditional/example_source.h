#pragma once

#include <memory>

#include "data/image_set.h"
#include "models/autoencoder_kl.h"
#include "training/kinds.h"
#include "training/kinds/unconditional/unconditional_recipe.h"

namespace sfumato {

/// The x0 of an unconditional run by index, with their classes: images or, with a first stage, their
/// latents.
class ExampleSource {
 public:
  /// Opens the recipe's images and, with a first stage, encodes them, mirrored ones too if the recipe flips. Throws
  /// std::invalid_argument if they do not fit the network's channels, size or classes.
  ExampleSource(const UnconditionalRecipe& recipe, const TaskContext& context);

  std::int64_t size() const { return images_->size(); }
  std::int64_t held_out() const { return images_->held_out(); }
  /// {C, H, W} of an x0.
  std::vector<std::int64_t> shape() const;
  /// Number of classes that the network receives; 0 without classes.
  std::int64_t classes() const { return classes_; }

  /// x0 of `indices`, float32 [N, C, H, W] on the device, flipped where `mirrored` (bool [N] on the CPU) is true.
  torch::Tensor x0(const torch::Tensor& indices, const torch::Tensor& mirrored);
  /// Returns classes, int64 [N] on the CPU.
  torch::Tensor labels(const torch::Tensor& indices) const { return images_->labels(indices); }
  /// Decodes x0 to images [N, 3, H', W'].
  torch::Tensor decode(const torch::Tensor& x0);

 private:
  void check_network_classes(const UnconditionalRecipe& recipe);
  void encode(const UnconditionalRecipe& recipe, const TaskContext& context);

  std::unique_ptr<ImageSet> images_;
  torch::Device device_;
  std::int64_t classes_ = 0;
  torch::Tensor latents_;  // float16 [M, C, h, w] or, followed by the mirrored ones, [2M, C, h, w]
  AutoencoderKL vae_{nullptr};
};

}  // namespace sfumato
