#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

namespace sfumato {

/// Names of the ways to make an image square: center_crop (resizes its shorter side to fit, then crops around its
/// centre), stretch (resizes each side separately), pad (adds black around an image that is not larger) and none
/// (refuses an image of another size).
const std::vector<std::string>& image_fits();

/// Fits `image` [C, H, W], floats in [-1, 1], to [C, size, size]. Resizing is bicubic with antialiasing, clamped to
/// [-1, 1]. Throws std::invalid_argument for an image that `fit`, one of image_fits(), does not accept.
torch::Tensor fit_image(const torch::Tensor& image, std::int64_t size, const std::string& fit);

/// Converts `image` [C, H, W] of 1 or 3 channels to `channels`: repeated, or grey by ITU-R 601.
torch::Tensor with_channels(const torch::Tensor& image, std::int64_t channels);

/// Converts floats in [-1, 1] to bytes.
torch::Tensor to_levels(const torch::Tensor& images);

/// Converts bytes to float32 in [-1, 1].
torch::Tensor from_levels(const torch::Tensor& levels);

}  // namespace sfumato
