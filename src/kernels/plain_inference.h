#pragma once

#include <torch/torch.h>

namespace sfumato {

/// True if x is of plain inference: float32 on the CPU, without gradients and without autocast.
bool is_plain_inference(const torch::Tensor& x);

/// The same for bfloat16, on processors with instructions for it.
bool is_bfloat16_inference(const torch::Tensor& x);

/// The same for float16, and for bfloat16 on other processors: products are computed in float32, of weights that stay
/// as they are.
bool is_widened_inference(const torch::Tensor& x);

/// Returns x in float32; undefined if x is.
torch::Tensor widened(const torch::Tensor& x);

/// True if the CPU kernels of this folder accept x, that is if one of the three is true. Convolutions then read and
/// write channels-last.
bool is_cpu_inference(const torch::Tensor& x);

/// True if the kernels of this folder that have gradients accept x: float32 or, on processors with instructions for it,
/// bfloat16 on the CPU, where gradients or autocast are enabled.
bool is_cpu_training(const torch::Tensor& x);

/// The dtype in which autocast or x itself makes convolutions and products of training compute.
torch::Dtype training_dtype(const torch::Tensor& x);

/// The same in float32 without autocast, which would have computed in bfloat16.
bool is_float32_training(const torch::Tensor& x);

}  // namespace sfumato
