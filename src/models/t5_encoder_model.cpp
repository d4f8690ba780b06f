#include "models/t5_encoder_model.h"

#include <cmath>
#include <limits>
#include <vector>

#include "models/config_members.h"
#include "nn/scaled_dot_product.h"

namespace sfumato {
namespace {

/// Scale without shift or mean (RMSNorm), accumulated in float32 for any dtype.
class T5LayerNormImpl : public torch::nn::Module {
 public:
  T5LayerNormImpl(std::int64_t size, double eps) : eps_(eps) {
    weight = register_parameter("weight", torch::empty({size}));
  }

  torch::Tensor forward(const torch::Tensor& x) {
    const auto wide = x.to(torch::kFloat32);
    const auto variance = wide.pow(2).mean(-1, /*keepdim=*/true);
    return weight * (wide * torch::rsqrt(variance + eps_)).to(weight.scalar_type());
  }

  torch::Tensor weight;

 private:
  double eps_;
};
TORCH_MODULE(T5LayerNorm);

class T5AttentionImpl : public torch::nn::Module {
 public:
  T5AttentionImpl(const T5EncoderModelConfig& config, bool has_relative_attention_bias)
      : config_(config),
        q(config.d_model, inner_size(), false),
        k(config.d_model, inner_size(), false),
        v(config.d_model, inner_size(), false),
        o(inner_size(), config.d_model, false) {
    register_module("q", q);
    register_module("k", k);
    register_module("v", v);
    register_module("o", o);
    if (has_relative_attention_bias) {
      relative_attention_bias = register_module("relative_attention_bias",
                                                Embedding(config.relative_attention_num_buckets, config.num_heads));
    }
  }

  /// Returns the bias of the scores [1, heads, length, length]; all layers share that of the first.
  torch::Tensor position_bias(std::int64_t length) {
    const auto device = relative_attention_bias->weight.device();
    if (!buckets_.defined() || buckets_.size(0) != length || buckets_.device() != device) {
      buckets_ = relative_position_buckets(length, config_.relative_attention_num_buckets,
                                           config_.relative_attention_max_distance)
                     .to(device);
    }
    return relative_attention_bias(buckets_).permute({2, 0, 1}).unsqueeze(0);
  }

  /// x [N, L, d_model], bias [1 or N, heads, L, L].
  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& bias) {
    const auto query = heads(q(x)), key = heads(k(x)), value = heads(v(x));  // [N, heads, L, d_kv]
    // The scores are not scaled: the initialisation of q accounts for that.
    const auto mixed = scaled_dot_product(query, key, value, bias.to(query.scalar_type()), /*scale=*/1.0);
    return o(mixed.transpose(1, 2).flatten(2));
  }

 private:
  T5EncoderModelConfig config_;
  torch::Tensor buckets_;  // for the latest length and device: computing them takes some ten small operations

 public:
  Linear q, k, v, o;
  Embedding relative_attention_bias{nullptr};

 private:
  std::int64_t inner_size() const { return config_.num_heads * config_.d_kv; }

  torch::Tensor heads(const torch::Tensor& x) const {
    return x.view({x.size(0), x.size(1), config_.num_heads, config_.d_kv}).transpose(1, 2);
  }
};
TORCH_MODULE(T5Attention);

class T5LayerSelfAttentionImpl : public torch::nn::Module {
 public:
  T5LayerSelfAttentionImpl(const T5EncoderModelConfig& config, bool has_relative_attention_bias)
      : SelfAttention(config, has_relative_attention_bias), layer_norm(config.d_model, config.layer_norm_epsilon) {
    register_module("SelfAttention", SelfAttention);
    register_module("layer_norm", layer_norm);
  }

  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& bias) {
    return x + SelfAttention(layer_norm(x), bias);
  }

  T5Attention SelfAttention;
  T5LayerNorm layer_norm;
};
TORCH_MODULE(T5LayerSelfAttention);

/// T5DenseActDense (wi, wo) or T5DenseGatedActDense (wi_0, wi_1, wo), according to feed_forward_proj.
class T5DenseImpl : public torch::nn::Module {
 public:
  explicit T5DenseImpl(const T5EncoderModelConfig& config) : wo(config.d_ff, config.d_model, false) {
    if (config.feed_forward_proj == "gated-gelu") {
      wi_0 = register_module("wi_0", Linear(config.d_model, config.d_ff, false));
      wi_1 = register_module("wi_1", Linear(config.d_model, config.d_ff, false));
    } else {
      wi = register_module("wi", Linear(config.d_model, config.d_ff, false));
    }
    register_module("wo", wo);
  }

  torch::Tensor forward(const torch::Tensor& x) {
    const auto hidden = wi.is_empty() ? torch::gelu(wi_0(x), "tanh") * wi_1(x) : torch::relu(wi(x));
    // float16 overflows here in the larger models: transformers keeps wo, and so the residual stream, in float32.
    if (wo->weight.scalar_type() == torch::kFloat16) {
      return torch::linear(hidden.to(torch::kFloat32), wo->weight.to(torch::kFloat32));
    }
    return wo(hidden);
  }

  Linear wi{nullptr}, wi_0{nullptr}, wi_1{nullptr}, wo;
};
TORCH_MODULE(T5Dense);

class T5LayerFFImpl : public torch::nn::Module {
 public:
  explicit T5LayerFFImpl(const T5EncoderModelConfig& config)
      : DenseReluDense(config), layer_norm(config.d_model, config.layer_norm_epsilon) {
    register_module("DenseReluDense", DenseReluDense);
    register_module("layer_norm", layer_norm);
  }

  torch::Tensor forward(const torch::Tensor& x) { return x + DenseReluDense(layer_norm(x)); }

  T5Dense DenseReluDense;
  T5LayerNorm layer_norm;
};
TORCH_MODULE(T5LayerFF);

class T5BlockImpl : public torch::nn::Module {
 public:
  T5BlockImpl(const T5EncoderModelConfig& config, bool has_relative_attention_bias)
      : attention(config, has_relative_attention_bias), feed_forward(config) {
    register_module("layer", torch::nn::ModuleList(attention, feed_forward));
  }

  torch::Tensor forward(const torch::Tensor& x, const torch::Tensor& bias) { return feed_forward(attention(x, bias)); }

  T5LayerSelfAttention attention;
  T5LayerFF feed_forward;
};
TORCH_MODULE(T5Block);

void check_sizes(const T5EncoderModelConfig& config) {
  const std::pair<const char*, std::int64_t> sizes[] = {
      {"vocab_size", config.vocab_size}, {"d_model", config.d_model},    {"d_kv", config.d_kv}, {"d_ff", config.d_ff},
      {"num_layers", config.num_layers}, {"num_heads", config.num_heads}};
  for (const auto& [key, value] : sizes) {
    if (value < 1) refuse_value("T5EncoderModel", key, std::to_string(value), "at least 1");
  }
  const auto buckets = config.relative_attention_num_buckets;
  if (buckets < 4 || buckets % 2 != 0) {
    refuse_value("T5EncoderModel", "relative_attention_num_buckets", std::to_string(buckets),
                 "an even number of at least 4");
  }
  if (config.relative_attention_max_distance <= buckets / 4) {
    refuse_value("T5EncoderModel", "relative_attention_max_distance",
                 std::to_string(config.relative_attention_max_distance), "more than a quarter of the buckets");
  }
}

/// Returns 0 for tokens that are attended to and the dtype's lowest value for others: [N, 1, 1, L].
torch::Tensor additive_mask(const torch::Tensor& attention_mask, const torch::Tensor& like) {
  const auto dropped = attention_mask.to(torch::kBool).logical_not().unsqueeze(1).unsqueeze(1);
  const float lowest = like.scalar_type() == torch::kFloat16    ? float{std::numeric_limits<at::Half>::lowest()}
                       : like.scalar_type() == torch::kBFloat16 ? float{std::numeric_limits<at::BFloat16>::lowest()}
                                                                : std::numeric_limits<float>::lowest();
  return torch::zeros(dropped.sizes(), like.options()).masked_fill(dropped, lowest);
}

template <class Members, class Config>
void list_t5_members(Members& members, Config& config) {
  members.value("vocab_size", config.vocab_size);
  members.value("d_model", config.d_model);
  members.value("d_kv", config.d_kv);
  members.value("d_ff", config.d_ff);
  members.value("num_layers", config.num_layers);
  members.value("num_heads", config.num_heads);
  members.value("relative_attention_num_buckets", config.relative_attention_num_buckets);
  members.value("relative_attention_max_distance", config.relative_attention_max_distance);
  members.value("layer_norm_epsilon", config.layer_norm_epsilon);
  members.value("feed_forward_proj", config.feed_forward_proj);
}

}  // namespace

class T5StackImpl : public torch::nn::Module {
 public:
  explicit T5StackImpl(const T5EncoderModelConfig& config)
      : final_layer_norm_(config.d_model, config.layer_norm_epsilon) {
    auto list = torch::nn::ModuleList();
    for (std::int64_t i = 0; i < config.num_layers; ++i) {
      blocks_.emplace_back(config, i == 0);
      list->push_back(blocks_.back());
    }
    register_module("block", list);
    register_module("final_layer_norm", final_layer_norm_);
  }

  torch::Tensor forward(torch::Tensor x, const torch::Tensor& attention_mask) {
    auto bias = blocks_.front()->attention->SelfAttention->position_bias(x.size(1));
    if (attention_mask.defined()) bias = bias + additive_mask(attention_mask, bias);
    for (auto& block : blocks_) x = block(x, bias);
    return final_layer_norm_(x);
  }

 private:
  std::vector<T5Block> blocks_;
  T5LayerNorm final_layer_norm_;
};

T5EncoderModelConfig T5EncoderModelConfig::from_json(const Json& json) {
  T5EncoderModelConfig config;
  MemberReader reader(json);
  list_t5_members(reader, config);
  if (config.feed_forward_proj != "relu" && config.feed_forward_proj != "gated-gelu") {
    refuse_value("T5EncoderModel", "feed_forward_proj", "\"" + config.feed_forward_proj + "\"",
                 "\"relu\" or \"gated-gelu\"");
  }
  check_sizes(config);
  return config;
}

Json T5EncoderModelConfig::to_json() const {
  nlohmann::ordered_json json = {
      {"architectures", {"T5EncoderModel"}}, {"model_type", "t5"}, {"dtype", "float32"}, {"dropout_rate", 0.0},
      {"is_encoder_decoder", false},         {"use_cache", false}, {"pad_token_id", 0},  {"eos_token_id", 1}};
  MemberWriter writer(json);
  list_t5_members(writer, *this);
  return json;
}

T5EncoderModelImpl::T5EncoderModelImpl(const T5EncoderModelConfig& config)
    : config_(config), shared_(config.vocab_size, config.d_model), encoder_(std::make_shared<T5StackImpl>(config)) {
  register_module("shared", shared_);
  register_module("encoder", encoder_);
}

torch::Tensor T5EncoderModelImpl::forward(const torch::Tensor& ids, const torch::Tensor& attention_mask) {
  TORCH_CHECK(ids.dim() == 2, "token ids are [batch, length], got ", ids.sizes());
  return encoder_->forward(shared_(ids), attention_mask);
}

std::string T5EncoderModelImpl::rename_key(const std::string& key) {
  const bool foreign = key == "encoder.embed_tokens.weight" || key == "lm_head.weight" || key.starts_with("decoder.");
  return foreign ? "" : key;
}

void initialize(T5EncoderModelImpl& model, at::Generator generator) {
  const torch::NoGradGuard no_grad;
  const auto& config = model.config();
  const auto normal = [&](torch::Tensor& weight, double fan) { weight.normal_(0.0, 1.0 / std::sqrt(fan), generator); };
  const auto d_model = static_cast<double>(config.d_model), d_ff = static_cast<double>(config.d_ff);
  const auto d_kv = static_cast<double>(config.d_kv), heads = static_cast<double>(config.num_heads);
  for (const auto& child : model.modules()) {
    if (auto* norm = child->as<T5LayerNormImpl>()) {
      norm->weight.fill_(1.0);
    } else if (auto* attention = child->as<T5AttentionImpl>()) {
      normal(attention->q->weight, d_model * d_kv);
      normal(attention->k->weight, d_model);
      normal(attention->v->weight, d_model);
      normal(attention->o->weight, heads * d_kv);
      if (attention->relative_attention_bias) normal(attention->relative_attention_bias->weight, d_model);
    } else if (auto* dense = child->as<T5DenseImpl>()) {
      for (auto* in : {&dense->wi, &dense->wi_0, &dense->wi_1}) {
        if (*in) normal((*in)->weight, d_model);
      }
      normal(dense->wo->weight, d_ff);
    }
  }
  model.named_parameters()["shared.weight"].normal_(0.0, 1.0, generator);
}

torch::Tensor relative_position_buckets(std::int64_t length, std::int64_t buckets, std::int64_t max_distance) {
  const auto positions = torch::arange(length, torch::kInt64);
  const auto relative = positions.unsqueeze(0) - positions.unsqueeze(1);  // [query, key]
  const auto half = buckets / 2;
  const auto max_exact = half / 2;
  const auto distance = relative.abs();
  const double octaves = std::log(static_cast<double>(max_distance) / static_cast<double>(max_exact));
  // In float32, as in the reference: at a bucket's edge rounding decides. The `where` never selects log(0).
  const auto logarithmic = (torch::log(distance.to(torch::kFloat32) / max_exact) / octaves * (half - max_exact))
                               .clamp_min(0.0)
                               .to(torch::kInt64)
                               .add(max_exact)
                               .clamp_max(half - 1);
  const auto bucket = torch::where(distance < max_exact, distance, logarithmic);
  return bucket + (relative > 0).to(torch::kInt64) * half;
}

}  // namespace sfumato
