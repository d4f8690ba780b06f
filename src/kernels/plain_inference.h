#pragma once

#include <torch/torch.h>

namespace sfumato {

/// Whether the CPU kernels of this folder may take x: float32 on the CPU, without gradients and without autocast.
bool is_plain_inference(const torch::Tensor& x);

}  // namespace sfumato
