#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "diffusion/denoiser.h"

namespace sfumato {

/// Deterministic map between images and noise, by DDIM at eta 0 (Song et al. 2021, section 4.3 and 5.3).
class DdimMap {
 public:
  virtual ~DdimMap() = default;

  /// Resizes an image [1, 3, H, W] in [-1, 1] to a size that the model supports.
  virtual torch::Tensor fit(const torch::Tensor& image) const = 0;
  /// Returns the noise [1, C, h, w] of a fitted image; undefined if on_step ended it.
  virtual torch::Tensor to_noise(const torch::Tensor& image, std::int64_t steps, const OnStep& on_step) const = 0;
  /// Returns images [N, 3, H, W], float32 on the CPU, of noises [N, C, h, w]; undefined if on_step ended it.
  virtual torch::Tensor to_images(const torch::Tensor& noise, std::int64_t steps, const OnStep& on_step) const = 0;
  /// True if noise has the shape of an image and can be shown as one.
  virtual bool is_pixels() const = 0;
};

/// Conditions of either direction. Members that the model does not support must keep their defaults.
struct DdimMapOptions {
  std::string prompt = "";                                          ///< of a text model, in both directions
  std::optional<std::string> edit_prompt = {};                      ///< replaces the prompt from noise to image
  double guidance_scale = 1;                                        ///< from noise to image; the reverse uses none
  std::int64_t height = 0, width = 0;                               ///< of a text model; 0 for the image's own
  std::optional<std::int64_t> label = {}, edit_label = {};          ///< the same of a class-conditional model
  std::function<void(const std::string& warning)> on_warning = {};  ///< for example of a truncated prompt; may be empty
};

}  // namespace sfumato
