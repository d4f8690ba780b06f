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
  to_k_ = register_module("to_k", Linear(width, inner, options.bias));
  to_v_ = register_module("to_v", Linear(width, inner, options.bias));
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
  const auto out = scaled_dot_product(query, heads(to_k_(attended)), heads(to_v_(attended)), mask);
  return to_out_->at<LinearImpl>(0).forward(out.transpose(1, 2).flatten(2));  // [N, L, query_dim]
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

torch::Tensor AttentionImpl::forward_image(const torch::Tensor& x) {
  const auto tokens = image_to_tokens(group_norm_ ? group_norm_(x) : x);
  return finished(tokens_to_image(attend(tokens, {}, {}), x), x);
}

}  // namespace sfumato
