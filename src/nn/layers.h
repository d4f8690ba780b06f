#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/group_norm.h"
#include "kernels/winograd.h"
#include "nn/shared_statistics.h"

/// Basic layers of every network. They differ from torch::nn's in one respect: parameters are allocated
/// (`torch::empty`, pages untouched) but not initialised. A checkpoint fills them or, for training, `initialize`
/// (nn/init.h). Names and shapes of parameters are torch's.
namespace sfumato {

/// y = x W^T + b. weight [out, in], bias [out] (undefined without bias).
class LinearImpl : public torch::nn::Module {
 public:
  LinearImpl(std::int64_t in, std::int64_t out, bool bias = true);
  torch::Tensor forward(const torch::Tensor& x);
  /// y + added, where `added` has y's shape.
  torch::Tensor forward_plus(const torch::Tensor& x, const torch::Tensor& added);
  /// GEGLU: value * gelu(gate), where value and gate are the halves of y.
  torch::Tensor forward_geglu(const torch::Tensor& x);
  /// pack_weights (nn/packing.h), in 2 parts for forward_geglu, else 1. The methods cannot replace each other then. Has
  /// no effect on packed weights.
  void pack(std::int64_t parts = 1);
  torch::Tensor weight, bias;

 private:
  std::vector<torch::Tensor> packed_;  ///< parts of the weight; empty if it is not packed
};
TORCH_MODULE(Linear);

struct ConvOptions {
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  bool bias = true;
};

/// 2-D convolution with a square kernel, padded with zeros or, under CircularPadding, with the opposite edge. weight
/// [out, in, k, k], bias [out]; x [N, in, H, W].
class Conv2dImpl : public torch::nn::Module {
 public:
  Conv2dImpl(std::int64_t in, std::int64_t out, std::int64_t kernel, ConvOptions options = {});
  torch::Tensor forward(const torch::Tensor& x);
  /// The convolution plus `added` [N, out, H', W'].
  torch::Tensor forward_plus(const torch::Tensor& x, const torch::Tensor& added);
  /// True if forward_fused accepts x, upsampled to so many times its height and width.
  bool fuses(const torch::Tensor& x, std::int64_t upsampling = 1) const;
  /// The convolution with the layers of `fusion` in the same pass.
  torch::Tensor forward_fused(const torch::Tensor& x, const ConvolutionFusion& fusion);
  /// pack_weights (nn/packing.h).
  void pack();
  torch::Tensor weight, bias;

 private:
  bool keeps_size(std::int64_t kernel) const;
  bool is_linear(const torch::Tensor& x) const;
  torch::Tensor forward_packed(const torch::Tensor& x, std::int64_t padding) const;
  torch::Tensor plain_convolution(const torch::Tensor& x, std::int64_t padding) const;

  ConvOptions options_;
  torch::Tensor packed_;  ///< undefined if the weight is not packed
};
TORCH_MODULE(Conv2d);

/// Group normalisation with affine weight and bias [channels]; x [N, channels, ...], in its memory format. Under
/// SharedStatistics it uses the statistics of another input.
class GroupNormImpl : public torch::nn::Module {
 public:
  GroupNormImpl(std::int64_t groups, std::int64_t channels, double eps);
  torch::Tensor forward(const torch::Tensor& x);
  /// The norm with what follows it in a residual block; x [N, channels, H, W].
  torch::Tensor forward_fused(const torch::Tensor& x, const GroupNormFusion& fusion);
  /// Returns the map of each channel that forward_fused would apply to x on the CPU, or nothing where it has none.
  std::optional<NormAffine> affine(const torch::Tensor& x, const GroupNormFusion& fusion) const;
  torch::Tensor weight, bias;

 private:
  GroupNormParameters parameters() const { return {.weight = weight, .bias = bias, .groups = groups_, .eps = eps_}; }
  torch::Tensor normalised(const torch::Tensor& x);
  SharedStatistics::Affine affine_of(const torch::Tensor& x) const;

  std::int64_t groups_;
  double eps_;
};
TORCH_MODULE(GroupNorm);

/// Layer normalisation over the last dimension, weight and bias [size].
class LayerNormImpl : public torch::nn::Module {
 public:
  explicit LayerNormImpl(std::int64_t size, double eps = 1e-5);
  torch::Tensor forward(const torch::Tensor& x);
  torch::Tensor weight, bias;

 private:
  double eps_;
};
TORCH_MODULE(LayerNorm);

/// Selects rows of weight [count, size] by ids.
class EmbeddingImpl : public torch::nn::Module {
 public:
  EmbeddingImpl(std::int64_t count, std::int64_t size);
  torch::Tensor forward(const torch::Tensor& ids);
  torch::Tensor weight;
};
TORCH_MODULE(Embedding);

/// Stores the weights of convolutions as [out, k, k, in], so that their inputs and outputs are channels-last. Called
/// once, when a network is loaded. Fastest on CUDA.
void make_channels_last(torch::nn::Module& network);

}  // namespace sfumato
