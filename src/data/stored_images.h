#pragma once

#include "data/image_set.h"

namespace sfumato {

/// Images as bytes in memory, with a class each or none.
struct LabelledImages {
  torch::Tensor images;      // uint8 [M, C, H, W]
  torch::Tensor labels;      // int64 [M], or undefined
  std::int64_t classes = 0;  ///< 0 without labels
};

/// An image set in memory.
class StoredImages : public ImageSet {
 public:
  /// Holds out the last `held_out` of `content`. Throws std::invalid_argument if none are left.
  StoredImages(LabelledImages content, std::int64_t held_out);

  std::int64_t size() const override { return content_.images.size(0); }
  std::int64_t held_out() const override { return held_out_; }
  std::vector<std::int64_t> image_shape() const override { return content_.images.sizes().slice(1).vec(); }
  torch::Tensor images(const torch::Tensor& indices, torch::Device device) override;
  std::int64_t classes() const override { return content_.classes; }
  torch::Tensor labels(const torch::Tensor& indices) const override;

 private:
  LabelledImages content_;
  std::int64_t held_out_;
};

/// Shuffles `content`, always in the same way, so that its last images are of all classes.
LabelledImages shuffled(const LabelledImages& content);

/// Fits `image` (floats [C, H, W] in [-1, 1]) to the size and channels of `options`. Throws std::runtime_error naming
/// `where` for an image that the options do not accept.
torch::Tensor fit_to(const ImageSetOptions& options, const torch::Tensor& image, const std::filesystem::path& where);

/// Fits images as bytes (uint8 [M, C, H, W]) to the size and channels of `options`, likewise.
torch::Tensor fit_levels(const torch::Tensor& levels, const ImageSetOptions& options);

}  // namespace sfumato
