#pragma once

#include <functional>

#include "diffusion/condition.h"
#include "diffusion/prediction.h"

namespace sfumato {

/// A network's raw output, and the attention that each place of its middle received from all of them, for the first
/// rows: [rows, h' w'], 1 on average.
struct Attended {
  torch::Tensor output;
  torch::Tensor received;
};

/// Backbone that also measures the attention of the first `rows` of the batch.
using AttendingBackbone = std::function<Attended(const torch::Tensor& x, const Evaluation& evaluation,
                                                 const Condition& condition, std::int64_t rows)>;

/// x [N, C, h, w] with its x0 blurred where `received` is above average (Hong et al. 2023, eq. 23 and 24;
/// StableDiffusionSAGPipeline). `output` is the network's at x. Throws std::invalid_argument for latents of fewer than
/// 5 pixels a side, which the blur's border is mirrored from.
torch::Tensor degraded_where_attended(const torch::Tensor& x, const torch::Tensor& output,
                                      const torch::Tensor& received, const Level& level, const Prediction& prediction);

/// x0 [N, C, h, w] with a Gaussian blur of deviation 1 (9 x 9, mirrored at the border) where `received` [N, h' w'] is
/// above 1, and as it is elsewhere. (h', w') is (h, w) halved some times, rounded up.
torch::Tensor blurred_where_attended(const torch::Tensor& x0, const torch::Tensor& received);

}  // namespace sfumato
