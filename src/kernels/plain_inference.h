#pragma once

#include <torch/torch.h>

namespace sfumato {

/// True if the CPU kernels of this folder accept x: float32 on the CPU, without gradients and without autocast.
bool is_plain_inference(const torch::Tensor& x);

/// The same for bfloat16, on processors with instructions for it.
bool is_bfloat16_inference(const torch::Tensor& x);

/// True if either is: convolutions then read and write channels-last.
bool is_cpu_inference(const torch::Tensor& x);

}  // namespace sfumato
