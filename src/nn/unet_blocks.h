#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "nn/attention.h"
#include "nn/resnet.h"
#include "nn/transformer.h"

namespace sfumato {

/// Attention after each ResnetBlock2D of a block: none (DownBlock2D), self-attention (AttnDownBlock2D), a transformer
/// that attends to the text (CrossAttnDownBlock2D), or one attention to text and image (SimpleCrossAttnDownBlock2D).
enum class BlockAttention { kNone, kSelf, kCross, kSimpleCross };

/// Change of size at the end of a block: none, by a convolution, or by a ResnetBlock2D.
enum class BlockResample { kNone, kConv, kResnet };

struct UNetBlockOptions {
  std::int64_t in_channels = 320;
  std::int64_t out_channels = 320;
  /// Channels of the previous block; only for up blocks, whose in_channels are those of their last skip connection.
  std::int64_t prev_output_channel = 320;
  std::int64_t num_layers = 1;
  ResnetOptions resnet;
  BlockAttention attention = BlockAttention::kNone;
  /// Channels of a head of kSelf and kSimpleCross.
  std::int64_t attention_head_dim = 8;
  /// Groups of the norm before self-attention; 0 for no norm.
  std::int64_t attention_groups = 32;
  TransformerOptions transformer;
  /// transformer.num_layers of each transformer, or one for all.
  std::vector<std::int64_t> transformer_layers{1};
  BlockResample resample = BlockResample::kNone;
  std::int64_t downsample_padding = 1;
};

/// Conditions that every block of a UNet receives besides the image.
struct BlockConditions {
  /// Time embedding [N, temb_channels].
  torch::Tensor temb;
  CrossAttention cross;
};

/// diffusers' DownBlock2D, AttnDownBlock2D, CrossAttnDownBlock2D, SimpleCrossAttnDownBlock2D and
/// ResnetDownsampleBlock2D.
class UNetDownBlockImpl : public torch::nn::Module {
 public:
  explicit UNetDownBlockImpl(const UNetBlockOptions& options);
  /// Returns the output; appends each layer's output and the downsampled one to `skips`.
  torch::Tensor forward(torch::Tensor x, const BlockConditions& conditions, std::vector<torch::Tensor>& skips);

 private:
  torch::nn::ModuleList resnets_, attentions_, downsamplers_;
  UNetBlockOptions options_;
};
TORCH_MODULE(UNetDownBlock);

/// diffusers' UNetMidBlock2D, UNetMidBlock2DCrossAttn and UNetMidBlock2DSimpleCrossAttn: a ResnetBlock2D, then
/// `num_layers` times attention and another one. Only in_channels count.
class UNetMidBlockImpl : public torch::nn::Module {
 public:
  explicit UNetMidBlockImpl(const UNetBlockOptions& options);
  torch::Tensor forward(torch::Tensor x, const BlockConditions& conditions);

 private:
  torch::nn::ModuleList resnets_, attentions_;
  UNetBlockOptions options_;
};
TORCH_MODULE(UNetMidBlock);

/// diffusers' UpBlock2D, AttnUpBlock2D, CrossAttnUpBlock2D, SimpleCrossAttnUpBlock2D and ResnetUpsampleBlock2D.
class UNetUpBlockImpl : public torch::nn::Module {
 public:
  explicit UNetUpBlockImpl(const UNetBlockOptions& options);
  /// Takes num_layers tensors from the end of `skips` and upsamples to the size of the last one left: twice the height
  /// and width, or one less if the input's side was odd.
  torch::Tensor forward(torch::Tensor x, const BlockConditions& conditions, std::vector<torch::Tensor>& skips);

 private:
  torch::Tensor upsampled(const torch::Tensor& x, const torch::Tensor& temb, const std::vector<torch::Tensor>& skips);

  torch::nn::ModuleList resnets_, attentions_, upsamplers_;
  UNetBlockOptions options_;
};
TORCH_MODULE(UNetUpBlock);

/// Sets the channels of down block `block` of a UNet whose blocks output `channels`, and its downsampling by `resample`
/// unless it is the last block.
void place_down_block(UNetBlockOptions& options, const std::vector<std::int64_t>& channels, std::size_t block,
                      BlockResample resample);

/// The same for up block `block`, which mirrors down block channels.size() - 1 - block.
void place_up_block(UNetBlockOptions& options, const std::vector<std::int64_t>& channels, std::size_t block,
                    BlockResample resample);

/// Features that a UNet's down blocks pass to its up blocks and a ControlNet adds to; names are those of diffusers'
/// ControlNetOutput.
struct UNetFeatures {
  /// Outputs of conv_in and of each layer of the down blocks.
  std::vector<torch::Tensor> down_block_res_samples;
  /// Output of the mid block or, without one, of the down blocks.
  torch::Tensor mid_block_res_sample;
};

/// Blocks of a UNet, which registers them under its own names.
struct UNetBlocks {
  torch::nn::ModuleList down_blocks, up_blocks;
  UNetMidBlock mid_block{nullptr};

  /// Runs the down and mid blocks on conv_in's output x [N, C, H, W].
  UNetFeatures encode(torch::Tensor x, const BlockConditions& conditions);
  /// Runs the up blocks, to the input of conv_norm_out: [N, C, H, W].
  torch::Tensor decode(UNetFeatures features, const BlockConditions& conditions);
  /// Runs encode and decode.
  torch::Tensor forward(torch::Tensor x, const BlockConditions& conditions);
};

}  // namespace sfumato
