#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>

namespace sfumato {

/// act(x W^T + b) by oneDNN, act "none" or "gelu"; nothing if LibTorch was built without oneDNN. x [..., in], weight
/// [out, in] (a packed one too), bias [out] or undefined: [..., out]. A matrix may be a transposed one.
std::optional<torch::Tensor> one_dnn_linear(const torch::Tensor& x, const torch::Tensor& weight,
                                            const torch::Tensor& bias, const char* act = "none");

/// x W^T + b combined with `other` [..., out] while it is written, likewise; `operation` is "add" or "mul".
std::optional<torch::Tensor> one_dnn_linear_with(const torch::Tensor& x, const torch::Tensor& other,
                                                 const torch::Tensor& weight, const torch::Tensor& bias,
                                                 const char* operation);

/// Stride and padding of a square convolution, the same on each side.
struct OneDnnConvolution {
  std::int64_t stride = 1, padding = 0;
};

/// Returns a linear layer's weight [out, in] in the layout in which oneDNN multiplies on this processor, for x of any
/// number of rows. one_dnn_linear and one_dnn_linear_with then need not rearrange it at each call. Only these
/// functions can read it. Nothing if LibTorch was built without oneDNN.
std::optional<torch::Tensor> pack_linear(const torch::Tensor& weight);
/// The same for a convolution's weight [out, in, k, k] and one_dnn_convolution.
std::optional<torch::Tensor> pack_convolution(const torch::Tensor& weight, const OneDnnConvolution& convolution);

/// Convolution of x [N, in, H, W] with a packed weight; bias [out] or undefined: [N, out, H', W'] in x's memory format.
torch::Tensor one_dnn_convolution(const torch::Tensor& x, const torch::Tensor& packed, const torch::Tensor& bias,
                                  const OneDnnConvolution& convolution);

}  // namespace sfumato
