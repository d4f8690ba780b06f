#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// A rectangle of pixels.
struct Region {
  std::int64_t top = 0, left = 0, height = 0, width = 0;

  bool operator==(const Region&) const = default;
};

/// Resizes a mask [1, 1, H, W] of floats in [0, 1] as resize_lanczos does.
torch::Tensor resize_mask(const torch::Tensor& mask, std::int64_t height, std::int64_t width);

/// Blurs a mask [1, 1, H, W] with a standard deviation of `radius` pixels, 0 or more, exactly as Pillow's GaussianBlur
/// does, which diffusers' VaeImageProcessor.blur calls: three box blurs along each side (Gwosdek et al. 2011), rounded
/// to 8 bits after each, the border repeated outwards.
torch::Tensor blur_mask(const torch::Tensor& mask, double radius);

/// Region of the image that holds all of `mask` [1, 1, H, W] that is not 0 and `padding` pixels around it, widened to
/// the ratio height : width where the image has room (VaeImageProcessor.get_crop_region). `mask` must not be 0
/// everywhere.
Region masked_region(const torch::Tensor& mask, std::int64_t padding, std::int64_t height, std::int64_t width);

/// Returns `region` of [N, C, H, W].
torch::Tensor cut_out(const torch::Tensor& image, const Region& region);

/// Resizes [N, C, H, W] in [-1, 1] to fit into `height` x `width`; where the aspect ratio differs, the borders are
/// repeated outwards (VaeImageProcessor's resize_mode 'fill').
torch::Tensor resize_and_fill(const torch::Tensor& image, std::int64_t height, std::int64_t width);

/// Resizes [N, C, H, W] in [-1, 1] to cover `height` x `width` and crops the rest (resize_mode 'crop').
torch::Tensor resize_and_crop(const torch::Tensor& image, std::int64_t height, std::int64_t width);

/// Composites images `made` [N, 3, h, w] of `region`'s size onto the image [1, 3, H, W], with `mask` [1, 1, H, W] as
/// their opacity: [N, 3, H, W]. Outside the region, and where the mask is 0, the image keeps its values.
torch::Tensor paste(const torch::Tensor& image, const torch::Tensor& made, const torch::Tensor& mask,
                    const Region& region);

}  // namespace sfumato
