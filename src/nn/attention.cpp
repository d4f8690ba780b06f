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

namespace {

/// [N, heads, L, d] -> [N, L, heads * d].
torch::Tensor tokens(const torch::Tensor& mixed) {
  return mixed.transpose(1, 2).flatten(2);
}

/// Returns how many adjacent rows of x share a row of the keys and values.
std::int64_t rows_per_row(const AttentionInput& input) {
  const auto rows = input.x.size(0), shared = input.keys_and_values.size(0);
  TORCH_CHECK(rows % shared == 0, "keys and values of ", shared, " rows: expected a divisor of the input's ", rows);
  return rows / shared;
}

}  // namespace

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

torch::Tensor AttentionImpl::keys_and_values(const torch::Tensor& states) {
  TORCH_CHECK(!is_self_attention(), "self-attention has no keys and values of other states");
  return add_k_proj_ ? torch::stack({add_k_proj_(states), add_v_proj_(states)}, 1)
                     : torch::stack({to_k_(states), to_v_(states)}, 1);
}

/// Returns [N, L, heads * d].
torch::Tensor AttentionImpl::attend(const AttentionInput& input) {
  if (input.keys_and_values.defined()) return attend_to_rows(input);
  const auto& attended = input.states.defined() ? input.states : input.x;
  const auto query = heads(to_q_(input.x));
  const auto mask = input.bias.defined() ? std::optional(input.bias.to(query.dtype())) : std::nullopt;
  return tokens(scaled_dot_product(query, heads(to_k_(attended)), heads(to_v_(attended)), mask));
}

/// The same with keys and values that are given. Rows of x that share them attend as one longer row.
torch::Tensor AttentionImpl::attend_to_rows(const AttentionInput& input) {
  const auto rows = input.keys_and_values.size(0), shared = rows_per_row(input);
  const auto query = to_q_(input.x);  // [N, L, heads * d]
  std::optional<torch::Tensor> mask;
  if (input.bias.defined()) mask = input.bias.slice(0, 0, std::nullopt, shared).to(query.dtype());
  const auto mixed =
      scaled_dot_product(heads(query.reshape({rows, shared * query.size(1), query.size(2)})),
                         heads(input.keys_and_values.select(1, 0)), heads(input.keys_and_values.select(1, 1)), mask);
  return tokens(mixed).reshape(query.sizes());
}

/// Returns [N, L, heads * d].
torch::Tensor AttentionImpl::attend_added(const AttentionInput& input) {
  TORCH_CHECK(input.keys_and_values.defined() || input.states.defined(),
              "states are needed by attention with added_kv_proj_dim");
  const auto text = input.keys_and_values.defined() ? input.keys_and_values.repeat_interleave(rows_per_row(input), 0)
                                                    : keys_and_values(input.states);  // [N, 2, K, heads * d]
  auto key = heads(text.select(1, 0)), value = heads(text.select(1, 1));              // [N, heads, K, d]
  if (!options_.only_cross_attention) {
    key = torch::cat({key, heads(to_k_(input.x))}, 2);
    value = torch::cat({value, heads(to_v_(input.x))}, 2);
  }
  std::optional<torch::Tensor> mask;
  if (input.bias.defined())
    mask = torch::constant_pad_nd(input.bias.to(input.x.dtype()), {0, key.size(2) - text.size(2)});
  return tokens(scaled_dot_product(heads(to_q_(input.x)), key, value, mask));
}

/// [N, L, heads * d] -> [N, L, query_dim], plus `added` if it is defined.
torch::Tensor AttentionImpl::output(const torch::Tensor& mixed, const torch::Tensor& added) {
  auto& layer = to_out_->at<LinearImpl>(0);
  return added.defined() ? layer.forward_plus(mixed, added) : layer.forward(mixed);
}

torch::Tensor AttentionImpl::finished(const torch::Tensor& hidden, const torch::Tensor& residual) const {
  const auto sum = options_.residual_connection ? hidden + residual : hidden;
  return options_.rescale_output_factor == 1 ? sum : sum / options_.rescale_output_factor;
}

torch::Tensor AttentionImpl::forward(const AttentionInput& input) {
  if (input.identity_rows > 0) return forward_with_identity(input);
  auto of_norm = input;
  of_norm.x = normed(input.x);
  if (!options_.residual_connection && options_.rescale_output_factor == 1) return output(attend(of_norm), input.added);
  const auto out = finished(output(attend(of_norm)), input.x);
  return input.added.defined() ? out + input.added : out;
}

torch::Tensor AttentionImpl::received(const torch::Tensor& x) {
  const auto input = normed(x);
  // In float32 for any dtype, as attend sums: Stable Diffusion 2's scores exceed float16's range.
  const auto query = heads(to_q_(input)).to(torch::kFloat32) / std::sqrt(static_cast<double>(options_.dim_head));
  const auto key = heads(to_k_(input)).to(torch::kFloat32);
  const auto scores = query.matmul(key.transpose(-1, -2));  // [N, heads, L, L]
  return scores.softmax(-1).mean(1).sum(1);
}

torch::Tensor AttentionImpl::forward_with_identity(const AttentionInput& input) {
  TORCH_CHECK(is_self_attention(), "identity_rows are for self-attention");
  const auto attending = input.x.size(0) - input.identity_rows;
  const auto kept = input.x.narrow(0, attending, input.identity_rows);
  const auto out = finished(output(to_v_(normed(kept))), kept);
  const auto all = torch::cat({forward({.x = input.x.narrow(0, 0, attending)}), out});
  return input.added.defined() ? all + input.added : all;
}

torch::Tensor AttentionImpl::forward_image(const AttentionInput& input) {
  const auto& image = input.x;
  auto of_tokens = input;
  of_tokens.x = image_to_tokens(group_norm_ ? group_norm_(image) : image);
  const auto hidden = output(add_k_proj_ ? attend_added(of_tokens) : attend({.x = of_tokens.x}));
  return finished(tokens_to_image(hidden, image), image);
}

std::vector<AttentionImpl*> cross_attention_layers(const torch::nn::Module& network) {
  std::vector<AttentionImpl*> layers;
  for (const auto& module : network.modules(/*include_self=*/false))
    if (auto* layer = module->as<AttentionImpl>(); layer != nullptr && !layer->is_self_attention())
      layers.push_back(layer);
  return layers;
}

}  // namespace sfumato
