#pragma once

#include <functional>

#include "diffusion/denoiser.h"
#include "diffusion/prediction.h"

namespace sfumato {

/// Self-attention guidance (Hong et al. 2023; StableDiffusionSAGPipeline).
struct SelfAttention {
  double scale = 0;  ///< sag_scale, the paper's s; 0 is without
  std::int64_t pictures = 1;
  PredictionType prediction = PredictionType::epsilon;
};

/// The attention that each place of the UNet's middle got from all of them when the network ran last, for the first of
/// its rows: [pictures, h' w'], 1 in the mean.
using ReceivedAttention = std::function<torch::Tensor()>;

/// Wraps a `network` that takes rows [R, ...] of `pictures` pictures, the first of them with the negative prompt or, in
/// plain sampling, with the prompt; `first` takes these alone. What it predicts there is blurred where it attends to,
/// and every row is moved away from what `first` makes of that, by scale * (negative - blurred): guidance that combines
/// R rows with weights of sum 1 then ends up where eq. 25 does. Throws std::invalid_argument for latents of fewer than
/// 5 pixels a side, which the blur's border is mirrored from.
Network self_attention_guidance(Network network, Network first, ReceivedAttention received,
                                const SelfAttention& options);

/// x0 [N, C, h, w] with a Gaussian blur of deviation 1 (9 x 9, mirrored at the border) where `received` [N, h' w'] is
/// above 1, and as it is elsewhere. (h', w') is (h, w) halved some times, rounded up.
torch::Tensor blurred_where_attended(const torch::Tensor& x0, const torch::Tensor& received);

}  // namespace sfumato
