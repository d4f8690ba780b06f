#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// Converts an image [1, 3, H, W] or [3, H, W] of floats in [-1, 1] to uint8 [H, W, 3] on the CPU: clamped, and rounded
/// half to even as diffusers' VaeImageProcessor does (denormalize, numpy_to_pil).
torch::Tensor to_bytes(const torch::Tensor& image);

/// The inverse of to_bytes: uint8 [H, W, 3] to float32 [1, 3, H, W] in [-1, 1].
torch::Tensor from_bytes(const torch::Tensor& bytes);

/// Resamples float32 [N, C, H, W] in [-1, 1] to `height` x `width` exactly as Pillow's Image.resize(LANCZOS) does with
/// 8-bit images, which diffusers' VaeImageProcessor calls: a Lanczos window of three lobes that widens when shrinking;
/// rows first or, as Pillow 13 does if the height shrinks by more than twice as much as the width, columns first;
/// rounded to 8 bits after each pass. An image that already has this size is returned unrounded.
torch::Tensor resize_lanczos(const torch::Tensor& image, std::int64_t height, std::int64_t width);

/// Arranges images [N, 3, H, W] in [-1, 1] in rows of `columns`, `gap` white pixels apart: [1, 3, H', W'].
torch::Tensor image_grid(const torch::Tensor& images, std::int64_t columns, std::int64_t gap = 2);

}  // namespace sfumato
