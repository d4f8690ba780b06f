#include "models/clip_text_model.h"

#include <stdexcept>
#include <utility>

#include "models/clip_layer.h"
#include "models/config_members.h"

namespace sfumato {
namespace {

/// Each token attends to itself and earlier ones.
class CLIPTextAttentionImpl : public CLIPAttentionImpl {
 public:
  explicit CLIPTextAttentionImpl(const CLIPTextModelConfig& config)
      : CLIPAttentionImpl(config.hidden_size, config.num_attention_heads, /*is_causal=*/true) {}
};
TORCH_MODULE(CLIPTextAttention);

void check(const CLIPTextModelConfig& config) {
  const std::pair<const char*, std::int64_t> sizes[] = {{"vocab_size", config.vocab_size},
                                                        {"hidden_size", config.hidden_size},
                                                        {"intermediate_size", config.intermediate_size},
                                                        {"projection_dim", config.projection_dim},
                                                        {"num_hidden_layers", config.num_hidden_layers},
                                                        {"num_attention_heads", config.num_attention_heads},
                                                        {"max_position_embeddings", config.max_position_embeddings}};
  for (const auto& [key, value] : sizes) {
    if (value < 1) refuse_value("CLIPTextModel", key, std::to_string(value), "at least 1");
  }
  if (config.hidden_size % config.num_attention_heads != 0) {
    refuse_value("CLIPTextModel", "num_attention_heads", std::to_string(config.num_attention_heads),
                 "a divisor of hidden_size " + std::to_string(config.hidden_size));
  }
  require_clip_activation("CLIPTextModel", config.hidden_act);
}

template <class Members, class Config>
void list_clip_members(Members& members, Config& config) {
  members.value("vocab_size", config.vocab_size);
  members.value("hidden_size", config.hidden_size);
  members.value("intermediate_size", config.intermediate_size);
  members.value("projection_dim", config.projection_dim);
  members.value("num_hidden_layers", config.num_hidden_layers);
  members.value("num_attention_heads", config.num_attention_heads);
  members.value("max_position_embeddings", config.max_position_embeddings);
  members.value("hidden_act", config.hidden_act);
  members.value("layer_norm_eps", config.layer_norm_eps);
  members.value("eos_token_id", config.eos_token_id);
}

}  // namespace

class CLIPEncoderLayerImpl : public CLIPLayerImpl<CLIPTextAttention, CLIPTextModelConfig> {
 public:
  using CLIPLayerImpl::CLIPLayerImpl;
};

CLIPTextModelConfig CLIPTextModelConfig::from_json(const Json& json) {
  CLIPTextModelConfig config;
  MemberReader reader(json);
  list_clip_members(reader, config);
  check(config);
  return config;
}

Json CLIPTextModelConfig::to_json(const std::string& architecture) const {
  nlohmann::ordered_json json = {
      {"architectures", {architecture}}, {"model_type", "clip_text_model"}, {"dtype", "float32"}};
  MemberWriter writer(json);
  list_clip_members(writer, *this);
  return json;
}

CLIPTextModelImpl::CLIPTextModelImpl(const CLIPTextModelConfig& config)
    : config_(config),
      token_embedding_(config.vocab_size, config.hidden_size),
      position_embedding_(config.max_position_embeddings, config.hidden_size),
      final_layer_norm_(config.hidden_size, config.layer_norm_eps) {
  const auto embeddings = register_module("embeddings", std::make_shared<torch::nn::Module>());
  embeddings->register_module("token_embedding", token_embedding_);
  embeddings->register_module("position_embedding", position_embedding_);
  layers_ = register_clip_layers<CLIPEncoderLayerImpl>(*this, config);
  register_module("final_layer_norm", final_layer_norm_);
}

torch::Tensor CLIPTextModelImpl::embed(const torch::Tensor& ids) {
  TORCH_CHECK(ids.dim() == 2, "token ids are [batch, length], got ", ids.sizes());
  TORCH_CHECK(ids.size(1) <= config_.max_position_embeddings, ids.size(1), " tokens; the model has positions for ",
              config_.max_position_embeddings);
  return token_embedding_(ids) + position_embedding_->weight.narrow(0, 0, ids.size(1));
}

torch::Tensor CLIPTextModelImpl::pool(const torch::Tensor& last_hidden_state, const torch::Tensor& ids) const {
  // Added tokens have higher ids than the end-of-text token and must not be taken for it.
  const auto known = ids.masked_fill(ids >= config_.vocab_size, 0);
  const auto ends = config_.eos_token_id == 2 ? known : (ids == config_.eos_token_id).to(torch::kInt32);
  const auto rows = torch::arange(ids.size(0), ids.options().dtype(torch::kInt64));
  return last_hidden_state.index({rows, ends.argmax(-1)});  // the first of equal ones
}

CLIPTextModelOutput CLIPTextModelImpl::forward(const torch::Tensor& ids) {
  CLIPTextModelOutput output;
  output.hidden_states.push_back(embed(ids));
  for (const auto& layer : layers_) output.hidden_states.push_back(layer->forward(output.hidden_states.back()));
  output.last_hidden_state = normalize(output.hidden_states.back());
  output.pooler_output = pool(output.last_hidden_state, ids);
  return output;
}

torch::Tensor CLIPTextModelImpl::normalize(const torch::Tensor& hidden_state) {
  return final_layer_norm_(hidden_state);
}

std::int64_t CLIPTextModelImpl::add_token_embeddings(const torch::Tensor& rows) {
  auto& weight = token_embedding_->weight;
  if (rows.dim() != 2 || rows.size(1) != weight.size(1))
    throw std::invalid_argument("the text encoder's embeddings have " + std::to_string(weight.size(1)) +
                                " numbers each, these have " + std::to_string(rows.dim() == 2 ? rows.size(1) : 0));
  const torch::NoGradGuard no_gradients;
  const auto first = weight.size(0);
  weight.set_data(torch::cat({weight, rows.to(weight.options())}));
  return first;
}

void CLIPTextModelImpl::remove_token_embeddings(std::int64_t first) {
  auto& weight = token_embedding_->weight;
  weight.set_data(weight.detach().slice(0, 0, first));
}

std::string CLIPTextModelImpl::rename_key(const std::string& key) {
  const std::string prefix = "text_model.";
  if (key.ends_with("embeddings.position_ids")) return "";
  return key.starts_with(prefix) ? key.substr(prefix.size()) : key;
}

CLIPTextModelWithProjectionImpl::CLIPTextModelWithProjectionImpl(const CLIPTextModelConfig& config)
    : text_model_(config), text_projection_(config.hidden_size, config.projection_dim, /*bias=*/false) {
  register_module("text_model", text_model_);
  register_module("text_projection", text_projection_);
}

CLIPTextModelOutput CLIPTextModelWithProjectionImpl::forward(const torch::Tensor& ids) {
  auto output = text_model_(ids);
  output.pooler_output = text_projection_(output.pooler_output);
  return output;
}

std::string CLIPTextModelWithProjectionImpl::rename_key(const std::string& key) {
  return key.ends_with("embeddings.position_ids") ? "" : key;
}

}  // namespace sfumato
