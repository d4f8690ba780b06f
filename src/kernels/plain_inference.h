#pragma once

#include <torch/torch.h>

namespace sfumato {

/// True if the CPU kernels of this folder accept x: float32 on the CPU, without gradients and without autocast.
bool is_plain_inference(const torch::Tensor& x);

}  // namespace sfumato
