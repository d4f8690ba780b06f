#pragma once

#include <functional>

#include "diffusion/condition.h"
#include "diffusion/prediction.h"

namespace sfumato {

/// A network's raw output, and the attention that each position of its middle received from all of them, for the first
/// rows: [rows, h' w'], 1 on average.
struct Attended {
  torch::Tensor output;
  torch::Tensor received;
};

/// Backbone that also returns the attention of the first `rows` of the batch.
using AttendingBackbone = std::function<Attended(const torch::Tensor& x, const Evaluation& evaluation,
                                                 const Condition& condition, std::int64_t rows)>;

/// Returns x [N, C, h, w] with x0 blurred where `received` is above average (Hong et al. 2023, eq. 23 and 24;
/// StableDiffusionSAGPipeline). `output` is the network's at x. Throws std::invalid_argument for sides of latents below
/// 5 pixels, too few to mirror the blur's border.
torch::Tensor degraded_where_attended(const torch::Tensor& x, const torch::Tensor& output,
                                      const torch::Tensor& received, const Level& level, const Prediction& prediction);

/// Returns x0 [N, C, h, w] with a Gaussian blur of std 1 (9 x 9, mirrored at the border) where `received` [N, h' w'] is
/// above 1, and unchanged elsewhere. (h', w') is (h, w) halved several times, rounded up.
torch::Tensor blurred_where_attended(const torch::Tensor& x0, const torch::Tensor& received);

}  // namespace sfumato
