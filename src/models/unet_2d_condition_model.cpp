#include "models/unet_2d_condition_model.h"

#include <utility>

#include "kernels/plain_inference.h"
#include "nn/activations.h"
#include "nn/normed_convolution.h"

namespace sfumato {
namespace {

void add_residuals(UNetFeatures& features, const UNet2DConditionInput& input) {
  const auto& residuals = input.down_block_additional_residuals;
  auto& skips = features.down_block_res_samples;
  TORCH_CHECK(residuals.empty() || residuals.size() == skips.size(), residuals.size(),
              " additional residuals for the down blocks, expected ", skips.size());
  for (std::size_t i = 0; i < residuals.size(); ++i) skips[i] = skips[i] + residuals[i].to(skips[i].scalar_type());
  const auto& mid = input.mid_block_additional_residual;
  if (mid.defined())
    features.mid_block_res_sample = features.mid_block_res_sample + mid.to(skips.front().scalar_type());
}

}  // namespace

UNet2DConditionModelImpl::UNet2DConditionModelImpl(Config config) : UNet2DConditionEncoder(std::move(config)) {
  const auto& settings = this->config();
  const auto first = settings.block_out_channels.front();
  add_up_blocks();
  conv_norm_out_ = register_module("conv_norm_out", GroupNorm(settings.norm_num_groups, first, settings.norm_eps));
  conv_out = register_module("conv_out", same_size_conv(first, settings.out_channels, settings.conv_out_kernel));
  find_text_layers();
}

void UNet2DConditionModelImpl::add_up_blocks() {
  const auto& channels = config().block_out_channels;
  const auto last = channels.size() - 1;
  blocks_.up_blocks = register_module("up_blocks", torch::nn::ModuleList());
  for (std::size_t i = 0; i <= last; ++i) {
    auto options = block_options(last - i);
    place_up_block(options, channels, i, resample_of_block(config().up_block_types[i]));
    options.attention_head_dim = at_block(config().attention_head_dim, i);
    options.num_layers = at_block(config().layers_per_block, last - i) + 1;
    options.attention = attention_of(config().up_block_types[i]);
    options.transformer_layers = config().up_transformer_layers(i);
    blocks_.up_blocks->push_back(UNetUpBlock(options));
  }
}

torch::Tensor UNet2DConditionModelImpl::forward(const UNet2DConditionInput& input) {
  auto x = conv_input(input.sample);
  if (is_cpu_inference(x)) x = x.contiguous(at::MemoryFormat::ChannelsLast);  // the output format of its kernels
  const auto conditions = this->conditions(input, x.scalar_type());
  auto features = blocks_.encode(conv_in(x), conditions);
  add_residuals(features, input);
  auto decoded = blocks_.decode(std::move(features), conditions);
  const auto& act_fn = config().act_fn;
  if (is_silu(act_fn)) return normed_convolution(conv_norm_out_, {.silu = true}, conv_out, std::move(decoded));
  return conv_out(activation(act_fn)(conv_norm_out_(decoded)));
}

torch::Tensor UNet2DConditionModelImpl::forward(const torch::Tensor& sample, double timestep,
                                                const torch::Tensor& encoder_hidden_states) {
  UNet2DConditionInput input;
  input.sample = sample;
  input.timestep = torch::full({1}, timestep, sample.options().dtype(torch::kFloat32));
  input.encoder_hidden_states = encoder_hidden_states;
  return forward(input);
}

}  // namespace sfumato
