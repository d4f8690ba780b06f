#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// A rectangle of pixels.
struct Region {
  std::int64_t top = 0, left = 0, height = 0, width = 0;

  bool operator==(const Region&) const = default;
};

/// A mask [1, 1, H, W] of floats in [0, 1] in another size, as resize_lanczos does it.
torch::Tensor resize_mask(const torch::Tensor& mask, std::int64_t height, std::int64_t width);

/// A mask [1, 1, H, W] blurred with a deviation of `radius` pixels, 0 or more, exactly as Pillow's GaussianBlur does
/// (what diffusers' VaeImageProcessor.blur calls): three box blurs along each side (Gwosdek et al. 2011), rounded to 8
/// bits after each, the border repeated outwards.
torch::Tensor blur_mask(const torch::Tensor& mask, double radius);

/// The part of the picture that holds all of `mask` [1, 1, H, W] that is not 0, and `padding` pixels around it, widened
/// to the sides' ratio height : width where the picture has room (VaeImageProcessor.get_crop_region). `mask` must hold
/// something.
Region masked_region(const torch::Tensor& mask, std::int64_t padding, std::int64_t height, std::int64_t width);

/// `region` of [N, C, H, W].
torch::Tensor cut_out(const torch::Tensor& image, const Region& region);

/// [N, C, H, W] in [-1, 1], resized to lie within `height` x `width`, and its borders carried on where its sides have
/// another ratio (VaeImageProcessor's resize_mode 'fill').
torch::Tensor resize_and_fill(const torch::Tensor& image, std::int64_t height, std::int64_t width);

/// [N, C, H, W] in [-1, 1], resized to cover `height` x `width`, and what lies outside cut off (resize_mode 'crop').
torch::Tensor resize_and_crop(const torch::Tensor& image, std::int64_t height, std::int64_t width);

/// The picture [1, 3, H, W] with pictures `made` [N, 3, h, w] of `region`'s size laid over it as opaquely as `mask`
/// [1, 1, H, W] says: [N, 3, H, W]. Where the mask is 0, and outside of the region, its own values.
torch::Tensor paste(const torch::Tensor& image, const torch::Tensor& made, const torch::Tensor& mask,
                    const Region& region);

}  // namespace sfumato
