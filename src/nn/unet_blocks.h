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

/// How a block changes the size at its end: not at all, by a convolution, or by a ResnetBlock2D.
enum class BlockResample { kNone, kConv, kResnet };

struct UNetBlockOptions {
  std::int64_t in_channels = 320;
  std::int64_t out_channels = 320;
  /// Channels of the block before; up blocks only, whose in_channels are those of the skip connection that comes last.
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

/// What every block of a UNet is told beside the image.
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
  /// The output; each layer's is appended to `skips`, as is the downsampled.
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
  /// Takes num_layers tensors from the end of `skips`, and upsamples to the size of the last that stays there: twice
  /// the height and width, or one less where those of the input did not divide.
  torch::Tensor forward(torch::Tensor x, const BlockConditions& conditions, std::vector<torch::Tensor>& skips);

 private:
  torch::Tensor upsampled(const torch::Tensor& x, const torch::Tensor& temb, const std::vector<torch::Tensor>& skips);

  torch::nn::ModuleList resnets_, attentions_, upsamplers_;
  UNetBlockOptions options_;
};
TORCH_MODULE(UNetUpBlock);

/// Sets the channels of down block `block` of a UNet whose blocks put out `channels`, and that it downsamples by
/// `resample` unless it is the last.
void place_down_block(UNetBlockOptions& options, const std::vector<std::int64_t>& channels, std::size_t block,
                      BlockResample resample);

/// The same for up block `block`, which mirrors down block channels.size() - 1 - block.
void place_up_block(UNetBlockOptions& options, const std::vector<std::int64_t>& channels, std::size_t block,
                    BlockResample resample);

/// What a UNet's way down leaves for its way up, and a ControlNet adds to; names are those of diffusers'
/// ControlNetOutput.
struct UNetFeatures {
  /// conv_in's output, then each layer's of the way down.
  std::vector<torch::Tensor> down_block_res_samples;
  /// The middle block's output; without one the way down's.
  torch::Tensor mid_block_res_sample;
};

/// The blocks of a UNet, which registers them under its own names.
struct UNetBlocks {
  torch::nn::ModuleList down_blocks, up_blocks;
  UNetMidBlock mid_block{nullptr};

  /// The way down and the middle: x [N, C, H, W] as conv_in puts it out.
  UNetFeatures encode(torch::Tensor x, const BlockConditions& conditions);
  /// The way up, to what conv_norm_out takes: [N, C, H, W].
  torch::Tensor decode(UNetFeatures features, const BlockConditions& conditions);
  /// Both.
  torch::Tensor forward(torch::Tensor x, const BlockConditions& conditions);
};

}  // namespace sfumato
