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

  /// An image [1, 3, H, W] in [-1, 1] resized to what the model takes.
  virtual torch::Tensor fit(const torch::Tensor& image) const = 0;
  /// The noise [1, C, h, w] of a fitted image; undefined where on_step ended it.
  virtual torch::Tensor to_noise(const torch::Tensor& image, std::int64_t steps, const OnStep& on_step) const = 0;
  /// Images [N, 3, H, W], float32 on the CPU, of noises [N, C, h, w]; undefined likewise.
  virtual torch::Tensor to_images(const torch::Tensor& noise, std::int64_t steps, const OnStep& on_step) const = 0;
  /// True if noise has the shape of an image and can be shown as one.
  virtual bool is_pixels() const = 0;
};

/// Conditions of either direction. A member that the model has no place for must be left as it is.
struct DdimMapOptions {
  std::string prompt = "";                                          ///< of a text model, in both directions
  std::optional<std::string> edit_prompt = {};                      ///< in place of it from noise to image
  double guidance_scale = 1;                                        ///< from noise to image; the way to noise has none
  std::int64_t height = 0, width = 0;                               ///< of a text model; 0 for the image's own
  std::optional<std::int64_t> label = {}, edit_label = {};          ///< likewise of a class-conditional model
  std::function<void(const std::string& warning)> on_warning = {};  ///< such as of a prompt that was cut; may be empty
};

}  // namespace sfumato
