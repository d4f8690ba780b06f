#include "nn/transformer.h"

#include <stdexcept>
#include <utility>

#include "kernels/cuda_inference.h"
#include "kernels/plain_inference.h"

namespace sfumato {
namespace {

/// net.0 of FeedForward: diffusers' GEGLU and GELU hold their layer as `proj`.
class ProjectionImpl : public torch::nn::Module {
 public:
  ProjectionImpl(std::int64_t in, std::int64_t out) : proj(register_module("proj", Linear(in, out))) {}
  Linear proj;
};
TORCH_MODULE(Projection);

constexpr double kNormEps = 1e-5;

/// Returns x + attention(input), and its norm. On a CPU the sum is part of the attention's last product, on CUDA of the
/// norm.
std::pair<torch::Tensor, torch::Tensor> add_and_normalise(const torch::Tensor& x, Attention& attention,
                                                          AttentionInput input, LayerNorm& norm) {
  if (is_cpu_inference(x)) {
    input.added = x;
    const auto sum = attention(input);
    return {sum, norm(sum)};
  }
  const auto residual = attention(input);
  if (auto fused = cuda_add_layer_norm(x, residual, norm->weight, norm->bias, kNormEps)) return *fused;
  const auto sum = x + residual;
  return {sum, norm(sum)};
}

}  // namespace

FeedForwardImpl::FeedForwardImpl(std::int64_t dim, const std::string& activation_fn)
    : gated_(activation_fn == "geglu"), approximate_(activation_fn == "gelu-approximate" ? "tanh" : "none") {
  if (!gated_ && activation_fn != "gelu" && activation_fn != "gelu-approximate") {
    throw std::invalid_argument("activation_fn '" + activation_fn + "': expected geglu, gelu or gelu-approximate");
  }
  const auto inner = 4 * dim;
  Projection projection(dim, gated_ ? 2 * inner : inner);
  project_in_ = projection->proj;
  project_out_ = Linear(inner, dim);
  net_ = register_module("net", torch::nn::ModuleList());
  net_->push_back(projection);
  net_->push_back(torch::nn::Identity());  // diffusers' dropout has the index 1
  net_->push_back(project_out_);
}

torch::Tensor FeedForwardImpl::forward(const torch::Tensor& x, const torch::Tensor& added) {
  const auto hidden = gated_ ? project_in_->forward_geglu(x) : torch::gelu(project_in_(x), approximate_);
  return added.defined() ? project_out_->forward_plus(hidden, added) : project_out_(hidden);
}

AttentionInput CrossAttention::input_of(const AttentionImpl& layer, const torch::Tensor& x) const {
  AttentionInput input{.x = x, .states = encoder_hidden_states, .bias = bias};
  if (const auto found = keys_and_values.find(&layer); found != keys_and_values.end())
    input.keys_and_values = found->second;
  return input;
}

BasicTransformerBlockImpl::BasicTransformerBlockImpl(std::int64_t dim, const TransformerOptions& options)
    : only_cross_attention_(options.only_cross_attention) {
  AttentionOptions first{
      .query_dim = dim, .heads = options.num_attention_heads, .dim_head = options.attention_head_dim};
  if (only_cross_attention_) first.cross_attention_dim = options.cross_attention_dim;
  auto second = first;
  second.cross_attention_dim = options.cross_attention_dim;
  norm1_ = register_module("norm1", LayerNorm(dim, kNormEps));
  attn1_ = register_module("attn1", Attention(first));
  norm2_ = register_module("norm2", LayerNorm(dim, kNormEps));
  attn2_ = register_module("attn2", Attention(second));
  norm3_ = register_module("norm3", LayerNorm(dim, kNormEps));
  ff_ = register_module("ff", FeedForward(dim));
}

torch::Tensor BasicTransformerBlockImpl::forward(const torch::Tensor& x, const CrossAttention& cross) {
  const auto normed = norm1_(x);
  if (cross.watch.sees(*attn1_)) *cross.watch.received = attn1_->received(normed.narrow(0, 0, cross.watch.rows));
  auto first = only_cross_attention_ ? cross.input_of(*attn1_, normed) : AttentionInput{.x = normed};
  // The mask belongs to the text; diffusers passes attn1 another one, which Stable Diffusion leaves empty.
  first.bias = torch::Tensor();
  if (cross.identity.includes(*attn1_)) first.identity_rows = cross.identity.rows;
  const auto [mixed, to_text] = add_and_normalise(x, attn1_, first, norm2_);
  const auto [hidden, to_ff] = add_and_normalise(mixed, attn2_, cross.input_of(*attn2_, to_text), norm3_);
  return ff_->forward(to_ff, hidden);
}

Transformer2DModelImpl::Transformer2DModelImpl(std::int64_t in_channels, const TransformerOptions& options) {
  const auto inner = options.num_attention_heads * options.attention_head_dim;
  norm_ = register_module("norm", GroupNorm(options.norm_num_groups, in_channels, 1e-6));
  if (options.use_linear_projection) {
    linear_in_ = register_module("proj_in", Linear(in_channels, inner));
    linear_out_ = Linear(inner, in_channels);
  } else {
    conv_in_ = register_module("proj_in", Conv2d(in_channels, inner, 1));
    conv_out_ = Conv2d(inner, in_channels, 1);
  }
  transformer_blocks_ = register_module("transformer_blocks", torch::nn::ModuleList());
  for (std::int64_t i = 0; i < options.num_layers; ++i) {
    transformer_blocks_->push_back(BasicTransformerBlock(inner, options));
  }
  if (linear_out_) register_module("proj_out", linear_out_);
  if (conv_out_) register_module("proj_out", conv_out_);
}

torch::Tensor Transformer2DModelImpl::forward(const torch::Tensor& x, const CrossAttention& cross) {
  auto tokens = image_to_tokens(conv_in_ ? conv_in_(norm_(x)) : norm_(x));
  if (linear_in_) tokens = linear_in_(tokens);  // [N, H*W, inner]
  for (std::size_t i = 0; i < transformer_blocks_->size(); ++i) {
    tokens = transformer_blocks_->at<BasicTransformerBlockImpl>(i).forward(tokens, cross);
  }
  if (conv_out_) return conv_out_->forward_plus(tokens_to_image(tokens, x), x);
  if (is_cpu_inference(x)) return tokens_to_image(linear_out_->forward_plus(tokens, image_to_tokens(x)), x);
  return tokens_to_image(linear_out_(tokens), x) + x;
}

}  // namespace sfumato
