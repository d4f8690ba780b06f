#include "nn/attention.h"

#include <cmath>

#include "nn/scaled_dot_product.h"

namespace sfumato {

torch::Tensor image_to_tokens(const torch::Tensor& x) {
  return x.permute({0, 2, 3, 1}).flatten(1, 2);
}

torch::Tensor tokens_to_image(const torch::Tensor& tokens, const torch::Tensor& like) {
  const auto image = tokens.unflatten(1, {like.size(2), like.size(3)}).permute({0, 3, 1, 2});  // [N, C, H, W]
  return image.contiguous(like.suggest_memory_format());
}

AttentionImpl::AttentionImpl(const AttentionOptions& options) : options_(options) {
  const auto inner = options.heads * options.dim_head;
  const auto width = options.cross_attention_dim > 0 ? options.cross_attention_dim : options.query_dim;
  if (options.norm_num_groups > 0) {
    group_norm_ = register_module("group_norm", GroupNorm(options.norm_num_groups, options.query_dim, options.eps));
  }
  to_q_ = register_module("to_q", Linear(options.query_dim, inner, options.bias));
  if (!options.only_cross_attention) {
    to_k_ = register_module("to_k", Linear(width, inner, options.bias));
    to_v_ = register_module("to_v", Linear(width, inner, options.bias));
  }
  if (options.added_kv_proj_dim > 0) {
    add_k_proj_ = register_module("add_k_proj", Linear(options.added_kv_proj_dim, inner));
    add_v_proj_ = register_module("add_v_proj", Linear(options.added_kv_proj_dim, inner));
  }
  to_out_ = register_module("to_out", torch::nn::ModuleList());
  to_out_->push_back(Linear(inner, options.query_dim));
}

/// Applies the group norm, if there is one, to tokens [N, L, C].
torch::Tensor AttentionImpl::normed(const torch::Tensor& x) {
  return group_norm_ ? group_norm_(x.transpose(1, 2)).transpose(1, 2) : x;
}

/// [N, L, heads * d] -> [N, heads, L, d].
torch::Tensor AttentionImpl::heads(const torch::Tensor& y) const {
  return y.unflatten(-1, {options_.heads, options_.dim_head}).transpose(1, 2);
}

torch::Tensor AttentionImpl::attend(const torch::Tensor& x, const torch::Tensor& states, const torch::Tensor& bias) {
  const auto& attended = states.defined() ? states : x;
  const auto query = heads(to_q_(x));
  const auto mask = bias.defined() ? std::optional(bias.to(query.dtype())) : std::nullopt;
  return output(scaled_dot_product(query, heads(to_k_(attended)), heads(to_v_(attended)), mask));
}

torch::Tensor AttentionImpl::attend_added(const torch::Tensor& x, const torch::Tensor& states,
                                          const torch::Tensor& bias) {
  TORCH_CHECK(states.defined(), "states are needed by attention with added_kv_proj_dim");
  auto key = heads(add_k_proj_(states)), value = heads(add_v_proj_(states));  // [N, heads, K, d]
  if (!options_.only_cross_attention) {
    key = torch::cat({key, heads(to_k_(x))}, 2);
    value = torch::cat({value, heads(to_v_(x))}, 2);
  }
  std::optional<torch::Tensor> mask;
  if (bias.defined()) mask = torch::constant_pad_nd(bias.to(x.dtype()), {0, key.size(2) - states.size(1)});
  return output(scaled_dot_product(heads(to_q_(x)), key, value, mask));
}

/// [N, heads, L, d] -> [N, L, query_dim].
torch::Tensor AttentionImpl::output(const torch::Tensor& mixed) {
  return to_out_->at<LinearImpl>(0).forward(mixed.transpose(1, 2).flatten(2));
}

torch::Tensor AttentionImpl::finished(const torch::Tensor& hidden, const torch::Tensor& residual) const {
  const auto sum = options_.residual_connection ? hidden + residual : hidden;
  return options_.rescale_output_factor == 1 ? sum : sum / options_.rescale_output_factor;
}

torch::Tensor AttentionImpl::forward(const torch::Tensor& x, const torch::Tensor& states, const torch::Tensor& bias) {
  return finished(attend(normed(x), states, bias), x);
}

torch::Tensor AttentionImpl::received(const torch::Tensor& x) {
  const auto input = normed(x);
  // In float32 for any dtype, as attend sums: Stable Diffusion 2's scores exceed float16's range.
  const auto query = heads(to_q_(input)).to(torch::kFloat32) / std::sqrt(static_cast<double>(options_.dim_head));
  const auto key = heads(to_k_(input)).to(torch::kFloat32);
  const auto scores = query.matmul(key.transpose(-1, -2));  // [N, heads, L, L]
  return scores.softmax(-1).mean(1).sum(1);
}

torch::Tensor AttentionImpl::forward_with_identity(const torch::Tensor& x, std::int64_t rows) {
  const auto attending = x.size(0) - rows;
  const auto kept = x.narrow(0, attending, rows);
  const auto values = to_v_(normed(kept));
  const auto out = finished(to_out_->at<LinearImpl>(0).forward(values), kept);
  return torch::cat({forward(x.narrow(0, 0, attending)), out});
}

torch::Tensor AttentionImpl::forward_image(const torch::Tensor& x, const torch::Tensor& states,
                                           const torch::Tensor& bias) {
  const auto tokens = image_to_tokens(group_norm_ ? group_norm_(x) : x);
  const auto hidden = add_k_proj_ ? attend_added(tokens, states, bias) : attend(tokens, {}, {});
  return finished(tokens_to_image(hidden, x), x);
}

}  // namespace sfumato
