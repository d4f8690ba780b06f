#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sfumato {

/// Names of the ways to make an image a square: center_crop (resized so that its shorter side fits, then cut around its
/// centre), stretch (each side resized by itself), pad (black around an image that is not larger) and none (refuses an
/// image of another size).
const std::vector<std::string>& image_fits();

/// `image` [C, H, W], floats in [-1, 1], as [C, size, size]. Resizing is bicubic with antialiasing, clamped to [-1, 1].
/// Throws std::invalid_argument for an image that `fit`, of image_fits(), does not take.
torch::Tensor fit_image(const torch::Tensor& image, std::int64_t size, const std::string& fit);

/// `image` [C, H, W] of 1 or 3 channels with `channels` of them: repeated, or grey by ITU-R 601.
torch::Tensor with_channels(const torch::Tensor& image, std::int64_t channels);

/// Floats in [-1, 1] as bytes.
torch::Tensor to_levels(const torch::Tensor& images);

/// Bytes as float32 in [-1, 1].
torch::Tensor from_levels(const torch::Tensor& levels);

}  // namespace sfumato
