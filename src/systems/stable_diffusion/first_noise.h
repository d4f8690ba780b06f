#pragma once

#include <torch/torch.h>

#include "core/random.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Returns one generator per image of the request: seed, seed + 1, ..., or `seed` for all if a subseed varies it.
NoiseSource noise_of(const Request& request);

/// Draws the initial noise [N, *shape] of sampling from `noise`, mixed with that of the request's subseeds.
torch::Tensor first_noise(const Request& request, NoiseSource& noise, at::IntArrayRef shape);

/// Draws initial noise with the shape and device of latents [N, C, h, w].
torch::Tensor first_noise_like(const torch::Tensor& latents, const Request& request, NoiseSource& noise);

/// Interpolates spherically from `low` to `high` [N, C, h, w] as AUTOMATIC1111's web UI does: each column of each
/// channel is a vector. Linear, and from `high` to `low`, for an image of parallel vectors, as in the web UI.
torch::Tensor mix_noise(double part, const torch::Tensor& low, const torch::Tensor& high);

}  // namespace sfumato
