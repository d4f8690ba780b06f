#pragma once

#include <torch/torch.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "nn/activations.h"
#include "nn/layers.h"

namespace sfumato {

/// Height and width.
using SpatialSize = std::array<std::int64_t, 2>;

/// Halves height and width by a 3x3 convolution of stride 2 (diffusers' Downsample2D with use_conv). padding 0 pads
/// one row and column of zeros below and to the right, as in the autoencoder.
class Downsample2DImpl : public torch::nn::Module {
 public:
  explicit Downsample2DImpl(std::int64_t channels, std::int64_t padding = 1);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  Conv2d conv_{nullptr};
  std::int64_t padding_;
};
TORCH_MODULE(Downsample2D);

/// Upsamples by nearest neighbours to twice the size or to `size`: [N, C, 2H, 2W].
torch::Tensor upsample_nearest(const torch::Tensor& x, std::optional<SpatialSize> size = {});

/// Applies upsample_nearest and a 3x3 convolution (diffusers' Upsample2D with use_conv).
class Upsample2DImpl : public torch::nn::Module {
 public:
  explicit Upsample2DImpl(std::int64_t channels);
  torch::Tensor forward(const torch::Tensor& x, std::optional<SpatialSize> size = {});

 private:
  Conv2d conv_{nullptr};
};
TORCH_MODULE(Upsample2D);

/// Options shared by all ResnetBlock2D of a network.
struct ResnetOptions {
  /// Width of the time embedding; 0 for a network without time.
  std::int64_t temb_channels = 0;
  std::int64_t groups = 32;
  double eps = 1e-6;
  std::string non_linearity = "silu";
  /// "default" adds the embedding, "scale_shift" scales and shifts by it (Dhariwal & Nichol 2021).
  std::string time_embedding_norm = "default";
  double output_scale_factor = 1;
  double dropout = 0;
};

enum class Resample { kNone, kUp, kDown };

/// Norm, nonlinearity, convolution, twice, with a shortcut (diffusers' ResnetBlock2D).
/// Throws std::invalid_argument for an unknown time_embedding_norm.
class ResnetBlock2DImpl : public torch::nn::Module {
 public:
  ResnetBlock2DImpl(std::int64_t in_channels, std::int64_t out_channels, const ResnetOptions& options,
                    Resample resample = Resample::kNone);
  /// x [N, in, H, W], temb [N, temb_channels] or undefined without time: [N, out, H, W], or twice or half the size.
  /// Frees x, if the caller moved it, as soon as it is no longer read.
  torch::Tensor forward(torch::Tensor x, const torch::Tensor& temb);

 private:
  torch::Tensor resized(const torch::Tensor& x) const;
  /// Returns the time embedding for the pass of norm2.
  GroupNormFusion time_fusion(const torch::Tensor& temb);
  /// The nonlinearity of the norm, with `fusion` between them.
  torch::Tensor activated(GroupNorm& norm, const torch::Tensor& x, const GroupNormFusion& fusion) const;
  /// norm1, nonlinearity and conv1: [N, out, H, W], or twice or half the size.
  torch::Tensor first_half(const torch::Tensor& x);
  /// norm2 with the time embedding, nonlinearity and conv2, plus the shortcut `input`.
  torch::Tensor second_half(torch::Tensor hidden, const torch::Tensor& temb, const torch::Tensor& input);

  GroupNorm norm1_{nullptr}, norm2_{nullptr};
  Conv2d conv1_{nullptr}, conv2_{nullptr}, conv_shortcut_{nullptr};
  Linear time_emb_proj_{nullptr};
  Activation nonlinearity_;
  ResnetOptions options_;
  bool silu_;
  Resample resample_;
};
TORCH_MODULE(ResnetBlock2D);

}  // namespace sfumato
