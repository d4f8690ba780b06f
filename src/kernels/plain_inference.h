#pragma once

#include <torch/torch.h>

namespace sfumato {

/// True if x is of plain inference: float32 on the CPU, without gradients and without autocast.
bool is_plain_inference(const torch::Tensor& x);

/// The same for bfloat16, on processors with instructions for it.
bool is_bfloat16_inference(const torch::Tensor& x);

/// True if the CPU kernels of this folder accept x, that is if either is true. Convolutions then read and write
/// channels-last.
bool is_cpu_inference(const torch::Tensor& x);

}  // namespace sfumato
