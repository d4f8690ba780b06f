#include "models/glide_text_model.h"

#include <utility>

#include "models/clip_layer.h"
#include "models/config_members.h"
#include "nn/scaled_dot_product.h"

namespace sfumato {
namespace {

constexpr const char* kGLIDETextModel = "GLIDETextModel";

/// One layer gives query, key and value of all heads: rows of qkv_proj are the three of the first head, then the three
/// of the second, and so on.
class GLIDETextAttentionImpl : public torch::nn::Module {
 public:
  explicit GLIDETextAttentionImpl(const GLIDETextModelConfig& config)
      : qkv_proj(config.hidden_size, 3 * config.hidden_size),
        out_proj(config.hidden_size, config.hidden_size),
        heads_(config.num_attention_heads) {
    register_module("qkv_proj", qkv_proj);
    register_module("out_proj", out_proj);
  }

  /// x [N, L, hidden_size].
  torch::Tensor forward(const torch::Tensor& x) {
    const auto qkv = qkv_proj(x).unflatten(-1, {heads_, -1}).transpose(1, 2).chunk(3, -1);  // [N, heads, L, d] each
    return out_proj(scaled_dot_product(qkv[0], qkv[1], qkv[2]).transpose(1, 2).flatten(2));
  }

  Linear qkv_proj, out_proj;

 private:
  std::int64_t heads_;
};
TORCH_MODULE(GLIDETextAttention);

template <class Members, class Config>
void list_glide_members(Members& members, Config& config) {
  members.value("vocab_size", config.vocab_size);
  members.value("hidden_size", config.hidden_size);
  members.value("intermediate_size", config.intermediate_size);
  members.value("num_hidden_layers", config.num_hidden_layers);
  members.value("num_attention_heads", config.num_attention_heads);
  members.value("max_position_embeddings", config.max_position_embeddings);
  members.value("hidden_act", config.hidden_act);
  members.value("layer_norm_eps", config.layer_norm_eps);
  members.value("use_padding_embeddings", config.use_padding_embeddings);
}

}  // namespace

class GLIDETextLayerImpl : public CLIPLayerImpl<GLIDETextAttention, GLIDETextModelConfig> {
 public:
  using CLIPLayerImpl::CLIPLayerImpl;
};

GLIDETextModelConfig GLIDETextModelConfig::from_json(const Json& json) {
  GLIDETextModelConfig config;
  MemberReader reader(json);
  list_glide_members(reader, config);
  config.validate();
  return config;
}

nlohmann::ordered_json GLIDETextModelConfig::to_json() const {
  nlohmann::ordered_json json = {{"_class_name", kGLIDETextModel}};
  MemberWriter writer(json);
  list_glide_members(writer, *this);
  return json;
}

void GLIDETextModelConfig::validate() const {
  require_positive(kGLIDETextModel, "vocab_size", {vocab_size});
  require_positive(kGLIDETextModel, "hidden_size", {hidden_size});
  require_positive(kGLIDETextModel, "intermediate_size", {intermediate_size});
  require_positive(kGLIDETextModel, "num_hidden_layers", {num_hidden_layers});
  require_positive(kGLIDETextModel, "num_attention_heads", {num_attention_heads});
  require_positive(kGLIDETextModel, "max_position_embeddings", {max_position_embeddings});
  if (hidden_size % num_attention_heads != 0)
    refuse_value(kGLIDETextModel, "num_attention_heads", std::to_string(num_attention_heads),
                 "a divisor of hidden_size " + std::to_string(hidden_size));
  require_clip_activation(kGLIDETextModel, hidden_act);
}

GLIDETextModelImpl::GLIDETextModelImpl(const GLIDETextModelConfig& config)
    : config_((config.validate(), config)),
      token_embedding_(config.vocab_size, config.hidden_size),
      position_embedding_(config.max_position_embeddings, config.hidden_size),
      final_layer_norm_(config.hidden_size, config.layer_norm_eps) {
  const auto embeddings = register_module("embeddings", std::make_shared<torch::nn::Module>());
  embeddings->register_module("token_embedding", token_embedding_);
  embeddings->register_module("position_embedding", position_embedding_);
  if (config.use_padding_embeddings) {
    padding_embedding_ = Embedding(config.max_position_embeddings, config.hidden_size);
    embeddings->register_module("padding_embedding", padding_embedding_);
  }
  layers_ = register_clip_layers<GLIDETextLayerImpl>(*this, config);
  register_module("final_layer_norm", final_layer_norm_);
}

torch::Tensor GLIDETextModelImpl::embed(const torch::Tensor& ids, const torch::Tensor& mask) {
  TORCH_CHECK(ids.dim() == 2 && mask.sizes() == ids.sizes(), "token ids and mask are [batch, length], got ",
              ids.sizes(), " and ", mask.sizes());
  const auto length = ids.size(1);
  TORCH_CHECK(length <= config_.max_position_embeddings, length, " tokens; the model has positions for ",
              config_.max_position_embeddings);
  auto embedded = token_embedding_(ids) + position_embedding_->weight.narrow(0, 0, length);
  if (!padding_embedding_) return embedded;
  return torch::where(mask.unsqueeze(-1), embedded, padding_embedding_->weight.narrow(0, 0, length));
}

torch::Tensor GLIDETextModelImpl::forward(const torch::Tensor& ids, const torch::Tensor& mask) {
  auto x = embed(ids, mask);
  for (const auto& layer : layers_) x = layer->forward(x);
  return final_layer_norm_(x);
}

std::string GLIDETextModelImpl::rename_key(const std::string& key) {
  const std::string prefix = "text_model.";
  if (key.ends_with("embeddings.position_ids")) return "";
  return key.starts_with(prefix) ? key.substr(prefix.size()) : key;
}

}  // namespace sfumato
