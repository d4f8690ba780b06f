#pragma once

#include "data/pack.h"
#include "training/kinds/glide/glide_recipe.h"
#include "training/loading/loader.h"
#include "training/randomness.h"

namespace sfumato {

/// Latents of a pack's images, float16 [M, C, h, w] on the CPU; undefined for pixels.
struct GLIDELatents {
  torch::Tensor images;
  torch::Tensor low_res;  ///< of the images at low resolution, for an upsampler
};

/// Batches of a GLIDEObjective: images of a pack, or their latents, with captions, noise, timesteps and the channels
/// that are concatenated to x.
class GLIDELoader : public Loader {
 public:
  /// The pack outlives the loader.
  GLIDELoader(const GLIDERecipe& recipe, Pack& pack, GLIDELatents latents, torch::Device device);

  Batch batch(std::int64_t number) override;
  /// The images of these numbers, their captions kept.
  Batch held_out(const torch::Tensor& indices, at::Generator& generator);
  /// {C, h, w} of an x0.
  std::vector<std::int64_t> shape() const;
  /// True at the tokens of ids [N, L], false at padding.
  torch::Tensor mask_of(const torch::Tensor& ids) const;

 private:
  /// All but the noise: x0, the text, and the concatenated channels. Only for training are captions dropped and images
  /// at low resolution degraded.
  Batch examples(const torch::Tensor& indices, bool for_training, at::Generator& generator);
  /// The images `x0` of `indices` at low resolution, as the base model would make them, enlarged again: [N, C, h, w].
  torch::Tensor enlarged(const torch::Tensor& x0, const torch::Tensor& indices, bool for_training,
                         at::Generator& generator) const;
  Batch with_noise(Batch batch, at::Generator& generator) const;

  std::uint64_t seed_;
  double caption_dropout_;
  bool inpaint_;
  std::int64_t low_res_size_;
  LowResAugmentation low_res_;
  std::int64_t image_size_, num_train_timesteps_;
  Pack& pack_;
  GLIDELatents latents_;
  torch::Device device_;
  ShuffledOrder order_;
};

/// Masks [N, 1, h, w] of inpainting: 1 where the image is known. In each row one rectangle is made anew, at a random
/// place and with sides of a quarter to all of the image's; in one row of ten the whole image.
torch::Tensor random_masks(std::int64_t count, std::int64_t height, std::int64_t width, at::Generator& generator);

}  // namespace sfumato
