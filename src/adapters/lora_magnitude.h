#pragma once

#include <torch/torch.h>

#include "adapters/lora_matrix.h"

namespace sfumato {

/// Returns DoRA's lengths of a weight's vectors (Liu et al. 2024), for each output [out, 1] or for each input [1, in];
/// undefined if the parts have none. LyCORIS' dora_scale is either, with 1 x 1 for a convolution; peft's
/// lora_magnitude_vector is [out] or, for a convolution, [1, out, 1, 1]. Throws std::invalid_argument if it is no
/// vector.
torch::Tensor magnitude_of(const LoraParts& parts);

/// True if `magnitude` holds lengths for the vectors of a weight of these sizes, [out, in, ...].
bool magnitude_fits(const torch::Tensor& magnitude, torch::IntArrayRef weight);

/// magnitude weight / |weight|, with the norm of each output's (or input's) vector over all other dimensions. A vector
/// of zeros stays zero.
torch::Tensor with_magnitude(const torch::Tensor& weight, const torch::Tensor& magnitude);

}  // namespace sfumato
