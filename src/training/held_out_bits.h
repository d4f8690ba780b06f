#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Measures bits per dimension of held-out images with the averaged weights of a run's newest checkpoint: {"step",
/// "images", "held_out_bpd", "prior_bpd", "timesteps": [{"t", "weight", "bpd", "mse", "x0_mse"}, ...]}, the last for a
/// plot of the loss at each timestep. Throws std::invalid_argument for a run whose kind or settings have no such bound.
nlohmann::ordered_json measure_bits(const TaskContext& context, const BitsSettings& settings);

}  // namespace sfumato
