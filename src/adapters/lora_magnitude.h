#pragma once

#include <torch/torch.h>

#include "adapters/lora_matrix.h"

namespace sfumato {

/// DoRA (Liu et al. 2024): the lengths that a weight's vectors are given, for each output [out, 1] or for each input
/// [1, in]; undefined where the parts have none. LyCORIS' dora_scale is either, with 1 x 1 of a convolution; peft's
/// lora_magnitude_vector is [out] or, of a convolution, [1, out, 1, 1]. Throws std::invalid_argument where it is no
/// vector.
torch::Tensor magnitude_of(const LoraParts& parts);

/// Whether these are lengths of the vectors of a weight of these sizes, [out, in, ...].
bool magnitude_fits(const torch::Tensor& magnitude, torch::IntArrayRef weight);

/// magnitude weight / |weight|, the norm of each output's (or input's) vector over all other dimensions. A vector of
/// zeros stays one.
torch::Tensor with_magnitude(const torch::Tensor& weight, const torch::Tensor& magnitude);

}  // namespace sfumato
