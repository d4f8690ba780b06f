#include "models/autoencoder_kl.h"

#include <optional>
#include <stdexcept>
#include <utility>

#include "kernels/plain_inference.h"
#include "models/config_members.h"
#include "nn/normed_convolution.h"

namespace sfumato {
namespace {

constexpr double kNormEps = 1e-6;
constexpr const char* kAutoencoderKL = "AutoencoderKL";

ResnetOptions resnet_options(const AutoencoderKLConfig& config) {
  return {.groups = config.norm_num_groups, .eps = kNormEps, .non_linearity = config.act_fn};
}

UNetMidBlock mid_block(const AutoencoderKLConfig& config) {
  UNetBlockOptions options;
  options.in_channels = config.block_out_channels.back();
  options.resnet = resnet_options(config);
  options.attention = config.mid_block_add_attention ? BlockAttention::kSelf : BlockAttention::kNone;
  options.attention_head_dim = options.in_channels;
  options.attention_groups = config.norm_num_groups;
  return UNetMidBlock(options);
}

/// diffusers' DownEncoderBlock2D and UpDecoderBlock2D: resnets, then a change of size.
class ResnetsImpl : public torch::nn::Module {
 public:
  ResnetsImpl(std::int64_t in, std::int64_t out, std::int64_t count, const ResnetOptions& options) {
    resnets_ = register_module("resnets", torch::nn::ModuleList());
    for (std::int64_t i = 0; i < count; ++i) resnets_->push_back(ResnetBlock2D(i == 0 ? in : out, out, options));
  }
  void add_downsampler(std::int64_t channels) {
    downsampler_ = Downsample2D(channels, 0);
    register_module("downsamplers", torch::nn::ModuleList(downsampler_));
  }
  void add_upsampler(std::int64_t channels) {
    upsampler_ = Upsample2D(channels);
    register_module("upsamplers", torch::nn::ModuleList(upsampler_));
  }
  torch::Tensor forward(torch::Tensor x) {
    for (std::size_t i = 0; i < resnets_->size(); ++i) x = resnets_->at<ResnetBlock2DImpl>(i).forward(std::move(x), {});
    if (downsampler_) return downsampler_(x);
    return upsampler_ ? upsampler_(x) : x;
  }

 private:
  torch::nn::ModuleList resnets_;
  Downsample2D downsampler_{nullptr};
  Upsample2D upsampler_{nullptr};
};
TORCH_MODULE(Resnets);

std::vector<std::string> repeated(const char* type, std::size_t count) {
  return std::vector<std::string>(count, type);
}

void require_blocks(const Json& config, const std::string& key, const char* type, std::size_t blocks,
                    const std::string& class_name) {
  const auto types = value_or(config, key, repeated(type, 1));
  if (types == repeated(type, blocks)) return;
  refuse_value(class_name, key, Json(types).dump(),
               std::string(type) + " for each of " + std::to_string(blocks) + " block_out_channels");
}

/// Converts x to channels-last if the kernels with that output format apply, which saves each layer a copy.
torch::Tensor in_kernels_format(const torch::Tensor& x) {
  return is_cpu_inference(x) ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

template <class Members, class Config>
void list_vae_members(Members& members, Config& config) {
  members.value("act_fn", config.act_fn);
  members.value("block_out_channels", config.block_out_channels);
  members.value("force_upcast", config.force_upcast);
  members.value("in_channels", config.in_channels);
  members.value("latent_channels", config.latent_channels);
  members.unless_empty("latents_mean", config.latents_mean);
  members.unless_empty("latents_std", config.latents_std);
  members.value("layers_per_block", config.layers_per_block);
  members.value("mid_block_add_attention", config.mid_block_add_attention);
  members.value("norm_num_groups", config.norm_num_groups);
  members.value("out_channels", config.out_channels);
  members.first("sample_size", config.sample_size);
  members.value("scaling_factor", config.scaling_factor);
  members.unless_empty("shift_factor", config.shift_factor);
  members.value("use_post_quant_conv", config.use_post_quant_conv);
  members.value("use_quant_conv", config.use_quant_conv);
}

}  // namespace

AutoencoderKLConfig AutoencoderKLConfig::from_json(const Json& json) {
  AutoencoderKLConfig config;
  config.read(json, kAutoencoderKL);
  return config;
}

void AutoencoderKLConfig::read(const Json& json, const std::string& class_name) {
  MemberReader reader(json);
  list_vae_members(reader, *this);
  require_blocks(json, "down_block_types", "DownEncoderBlock2D", block_out_channels.size(), class_name);
  require_blocks(json, "up_block_types", "UpDecoderBlock2D", block_out_channels.size(), class_name);
}

void AutoencoderKLConfig::validate(const std::string& class_name) const {
  for (const auto& [key, value] : {std::pair{"in_channels", in_channels},
                                   {"out_channels", out_channels},
                                   {"latent_channels", latent_channels},
                                   {"layers_per_block", layers_per_block},
                                   {"norm_num_groups", norm_num_groups}})
    require_positive(class_name, key, {value});
  require_positive(class_name, "block_out_channels", block_out_channels);
  const auto channels = static_cast<std::size_t>(latent_channels);
  for (const auto* values : {&latents_mean, &latents_std}) {
    if (values->empty() || values->size() == channels) continue;
    throw std::invalid_argument(class_name + ": " + std::to_string(values->size()) +
                                " values in latents_mean or latents_std for " + std::to_string(channels) +
                                " latent_channels");
  }
  if (block_out_channels.empty()) throw std::invalid_argument(class_name + ": block_out_channels is empty");
}

nlohmann::ordered_json AutoencoderKLConfig::to_json() const {
  nlohmann::ordered_json json = {{"_class_name", kAutoencoderKL}};
  MemberWriter writer(json);
  list_vae_members(writer, *this);
  json["down_block_types"] = repeated("DownEncoderBlock2D", block_out_channels.size());
  json["up_block_types"] = repeated("UpDecoderBlock2D", block_out_channels.size());
  return json;
}

EncoderImpl::EncoderImpl(const AutoencoderKLConfig& config, bool double_z) {
  const auto& channels = config.block_out_channels;
  conv_in_ = register_module("conv_in", Conv2d(config.in_channels, channels.front(), 3, ConvOptions{.padding = 1}));
  down_blocks_ = register_module("down_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const auto in = channels[i == 0 ? 0 : i - 1];
    Resnets block(in, channels[i], config.layers_per_block, resnet_options(config));
    if (i + 1 < channels.size()) block->add_downsampler(channels[i]);
    down_blocks_->push_back(block);
  }
  mid_block_ = register_module("mid_block", mid_block(config));
  conv_norm_out_ = register_module("conv_norm_out", GroupNorm(config.norm_num_groups, channels.back(), kNormEps));
  const auto outputs = (double_z ? 2 : 1) * config.latent_channels;
  conv_out_ = register_module("conv_out", Conv2d(channels.back(), outputs, 3, ConvOptions{.padding = 1}));
}

torch::Tensor EncoderImpl::forward(const torch::Tensor& x) {
  auto hidden = conv_in_(in_kernels_format(x));
  for (std::size_t i = 0; i < down_blocks_->size(); ++i)
    hidden = down_blocks_->at<ResnetsImpl>(i).forward(std::move(hidden));
  hidden = mid_block_(std::move(hidden), BlockConditions{});
  return normed_convolution(conv_norm_out_, {.silu = true}, conv_out_, std::move(hidden));
}

DecoderImpl::DecoderImpl(const AutoencoderKLConfig& config) {
  const std::vector<std::int64_t> channels(config.block_out_channels.rbegin(), config.block_out_channels.rend());
  conv_in_ = register_module("conv_in", Conv2d(config.latent_channels, channels.front(), 3, ConvOptions{.padding = 1}));
  up_blocks_ = register_module("up_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const auto in = channels[i == 0 ? 0 : i - 1];
    Resnets block(in, channels[i], config.layers_per_block + 1, resnet_options(config));
    if (i + 1 < channels.size()) block->add_upsampler(channels[i]);
    up_blocks_->push_back(block);
  }
  mid_block_ = register_module("mid_block", mid_block(config));
  conv_norm_out_ = register_module("conv_norm_out", GroupNorm(config.norm_num_groups, channels.back(), kNormEps));
  conv_out = register_module("conv_out", Conv2d(channels.back(), config.out_channels, 3, ConvOptions{.padding = 1}));
}

torch::Tensor DecoderImpl::forward(const torch::Tensor& z) {
  auto hidden = mid_block_(conv_in_(in_kernels_format(z)), BlockConditions{});
  for (std::size_t i = 0; i < up_blocks_->size(); ++i)
    hidden = up_blocks_->at<ResnetsImpl>(i).forward(std::move(hidden));
  return normed_convolution(conv_norm_out_, {.silu = true}, conv_out, std::move(hidden));
}

AutoencoderKLImpl::AutoencoderKLImpl(Config config) : config_(std::move(config)) {
  config_.validate(kAutoencoderKL);
  const auto latent = config_.latent_channels;
  encoder = register_module("encoder", Encoder(config_));
  decoder = register_module("decoder", Decoder(config_));
  if (config_.use_quant_conv) quant_conv_ = register_module("quant_conv", Conv2d(2 * latent, 2 * latent, 1));
  if (config_.use_post_quant_conv) post_quant_conv_ = register_module("post_quant_conv", Conv2d(latent, latent, 1));
}

torch::Tensor AutoencoderKLImpl::encoder_output(const torch::Tensor& x) {
  const auto moments = encoder(x);
  return quant_conv_ ? quant_conv_(moments) : moments;
}

torch::Tensor AutoencoderKLImpl::decoder_output(const torch::Tensor& z) {
  return decoder(post_quant_conv_ ? post_quant_conv_(z) : z);
}

std::string AutoencoderKLImpl::rename_key(const std::string& key) {
  return rename_attention_key(key);
}

}  // namespace sfumato
