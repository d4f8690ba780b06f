#include "nn/init.h"

#include <cmath>

#include "nn/layers.h"
#include "nn/text_time_embedding.h"

namespace sfumato {
namespace {

void fill_uniform(torch::Tensor& weight, torch::Tensor& bias, at::Generator& generator) {
  const auto fan_in = weight.numel() / weight.size(0);
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  weight.uniform_(-bound, bound, generator);
  if (bias.defined()) bias.uniform_(-bound, bound, generator);
}

}  // namespace

void initialize(torch::nn::Module& module, at::Generator generator) {
  const torch::NoGradGuard no_grad;
  for (const auto& child : module.modules()) {
    if (auto* linear = child->as<LinearImpl>()) {
      fill_uniform(linear->weight, linear->bias, generator);
    } else if (auto* conv = child->as<Conv2dImpl>()) {
      fill_uniform(conv->weight, conv->bias, generator);
    } else if (auto* embedding = child->as<EmbeddingImpl>()) {
      embedding->weight.normal_(0.0, 0.02, generator);
    } else if (auto* group_norm = child->as<GroupNormImpl>()) {
      group_norm->weight.fill_(1.0);
      group_norm->bias.zero_();
    } else if (auto* layer_norm = child->as<LayerNormImpl>()) {
      layer_norm->weight.fill_(1.0);
      layer_norm->bias.zero_();
    } else if (auto* pooling = child->as<AttentionPoolingImpl>()) {
      auto& vector = pooling->positional_embedding;
      vector.normal_(0.0, 1.0 / std::sqrt(static_cast<double>(vector.size(1))), generator);
    }
  }
}

}  // namespace sfumato
