#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/placement.h"
#include "diffusion/schedule.h"
#include "models/autoencoder.h"
#include "systems/model_index.h"

namespace sfumato {

/// Map between images and the space of the diffusion process: an autoencoder's latents, or unchanged pixels.
class FirstStage {
 public:
  /// Uses pixels of 1 or 3 channels, on a device.
  FirstStage(std::int64_t channels, torch::Device device) : channels_(channels), device_(device) {}
  /// Uses the latents of an autoencoder at `placement`; `device` is the diffusion model's.
  FirstStage(std::shared_ptr<Autoencoder> network, const Placement& placement, torch::Device device)
      : network_(std::move(network)), placement_(placement), device_(device) {}

  bool is_pixels() const { return !network_; }
  /// Channels of x.
  std::int64_t channels() const;
  /// Side of the square of pixels for one value of x.
  std::int64_t downscale_factor() const;
  /// Encodes images [N, 3, H, W] in [-1, 1] to x [N, C, H/f, W/f], float32 on the model's device. Uses the mean of an
  /// encoder with a distribution.
  torch::Tensor encode(const torch::Tensor& images) const;
  /// Decodes x [N, C, h, w] to images [N, 3, f h, f w], float32 on the CPU, about in [-1, 1].
  torch::Tensor decode(const torch::Tensor& x) const;

 private:
  std::shared_ptr<Autoencoder> network_;
  Placement placement_;
  std::int64_t channels_ = 3;
  torch::Device device_ = torch::kCPU;
};

/// Loads the autoencoder of a folder: its part vae or vqvae, of class AutoencoderKL, AutoencoderTiny or VQModel. Uses
/// pixels if the folder has neither. Throws std::runtime_error naming the folder.
FirstStage load_first_stage(const ModelIndex& index, const Placement& placement, std::int64_t pixel_channels = 3);

/// Loads the noise schedule of a folder's scheduler, or of another part of that kind. Throws std::runtime_error naming
/// the folder.
Schedule load_schedule(const ModelIndex& index, const std::string& part = "scheduler");

}  // namespace sfumato
