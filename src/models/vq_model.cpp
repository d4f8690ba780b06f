#include "models/vq_model.h"

#include <utility>

namespace sfumato {
namespace {

constexpr const char* kVQModel = "VQModel";

}  // namespace

VQModelConfig::VQModelConfig() {
  latent_channels = 3;
  force_upcast = false;
}

VQModelConfig VQModelConfig::from_json(const Json& json) {
  require_supported(json, "norm_type", {nullptr, "group"}, kVQModel);
  VQModelConfig config;
  config.read(json, kVQModel);
  config.num_vq_embeddings = value_or(json, "num_vq_embeddings", config.num_vq_embeddings);
  config.vq_embed_dim = value_or(json, "vq_embed_dim", config.vq_embed_dim);
  return config;
}

VectorQuantizerImpl::VectorQuantizerImpl(std::int64_t count, std::int64_t size) {
  embedding_ = register_module("embedding", Embedding(count, size));
}

torch::Tensor VectorQuantizerImpl::forward(const torch::Tensor& z) {
  const auto channels_last = z.permute({0, 2, 3, 1});  // [N, h, w, size]
  const auto vectors = channels_last.flatten(0, 2).to(torch::kFloat32);
  const auto nearest = torch::cdist(vectors, embedding_->weight.to(torch::kFloat32)).argmin(1);  // [N h w]
  return embedding_(nearest).view(channels_last.sizes()).permute({0, 3, 1, 2}).contiguous();
}

VQModelImpl::VQModelImpl(Config config) : config_(std::move(config)) {
  config_.validate(kVQModel);
  require_positive(kVQModel, "num_vq_embeddings", {config_.num_vq_embeddings});
  const auto latent = config_.latent_channels;
  const auto size = config_.vq_embed_dim > 0 ? config_.vq_embed_dim : latent;
  encoder_ = register_module("encoder", Encoder(config_, false));
  quant_conv_ = register_module("quant_conv", Conv2d(latent, size, 1));
  quantize_ = register_module("quantize", VectorQuantizer(config_.num_vq_embeddings, size));
  post_quant_conv_ = register_module("post_quant_conv", Conv2d(size, latent, 1));
  decoder_ = register_module("decoder", Decoder(config_));
}

torch::Tensor VQModelImpl::encoder_output(const torch::Tensor& x) {
  return quant_conv_(encoder_(x));
}

torch::Tensor VQModelImpl::decoder_output(const torch::Tensor& z) {
  return decoder_(post_quant_conv_(quantize_(z)));
}

}  // namespace sfumato
