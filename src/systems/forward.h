#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/random.h"
#include "diffusion/schedule.h"
#include "systems/first_stage.h"

namespace sfumato {

/// Forward process of a model: its space, and its noise schedule.
struct Forward {
  FirstStage first_stage;
  Schedule schedule;
};

/// Loads it from a folder of any system, or from a file as load_stable_diffusion does, with `tokenizers`. Keeps no
/// network except the autoencoder. Throws std::runtime_error naming
/// the path.
Forward load_forward(const std::filesystem::path& path, const Placement& placement,
                     const std::vector<std::filesystem::path>& tokenizers = {});

/// Computes x_t = alpha x_0 + sigma eps of an image [1, 3, H, W] in [-1, 1] at each of the timesteps, with one eps (Ho
/// et al. 2020, eq. 4): images [N, 3, H, W], float32 on the CPU. Decodes latents. Sides must be multiples of the first
/// stage's downscale factor. Throws std::invalid_argument for a timestep outside the schedule.
torch::Tensor diffuse(const Forward& forward, const torch::Tensor& image, const std::vector<std::int64_t>& timesteps,
                      NoiseSource& noise);

}  // namespace sfumato
