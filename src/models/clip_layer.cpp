#include "models/clip_layer.h"

#include "models/config.h"
#include "nn/scaled_dot_product.h"

namespace sfumato {

CLIPAttentionImpl::CLIPAttentionImpl(std::int64_t hidden_size, std::int64_t num_attention_heads, bool is_causal)
    : k_proj(hidden_size, hidden_size),
      v_proj(hidden_size, hidden_size),
      q_proj(hidden_size, hidden_size),
      out_proj(hidden_size, hidden_size),
      heads_(num_attention_heads),
      is_causal_(is_causal) {
  register_module("k_proj", k_proj);
  register_module("v_proj", v_proj);
  register_module("q_proj", q_proj);
  register_module("out_proj", out_proj);
}

torch::Tensor CLIPAttentionImpl::heads(const torch::Tensor& x) const {  // [N, heads, L, hidden_size / heads]
  return x.view({x.size(0), x.size(1), heads_, -1}).transpose(1, 2);
}

torch::Tensor CLIPAttentionImpl::forward(const torch::Tensor& x) {
  const auto query = heads(q_proj(x)), key = heads(k_proj(x)), value = heads(v_proj(x));
  const auto mixed = is_causal_ ? torch::scaled_dot_product_attention(query, key, value, /*attn_mask=*/{},
                                                                      /*dropout_p=*/0.0, /*is_causal=*/true)
                                : scaled_dot_product(query, key, value);
  return out_proj(mixed.transpose(1, 2).flatten(2));
}

CLIPMLPImpl::CLIPMLPImpl(std::int64_t hidden_size, std::int64_t intermediate_size, const std::string& hidden_act)
    : fc1(hidden_size, intermediate_size), fc2(intermediate_size, hidden_size), quick_(hidden_act == "quick_gelu") {
  register_module("fc1", fc1);
  register_module("fc2", fc2);
}

torch::Tensor CLIPMLPImpl::forward(const torch::Tensor& x) {
  const auto hidden = fc1(x);
  return fc2(quick_ ? hidden * torch::sigmoid(1.702 * hidden) : torch::gelu(hidden));
}

void require_clip_activation(const std::string& class_name, const std::string& hidden_act) {
  if (hidden_act != "quick_gelu" && hidden_act != "gelu")
    refuse_value(class_name, "hidden_act", "\"" + hidden_act + "\"", "\"quick_gelu\" or \"gelu\"");
}

}  // namespace sfumato
