#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "nn/layers.h"

namespace sfumato {

/// The position-wise layers of a transformer of CLIP's kind (transformers' CLIPMLP). hidden_act is gelu, or quick_gelu:
/// x sigmoid(1.702 x).
class CLIPMLPImpl : public torch::nn::Module {
 public:
  CLIPMLPImpl(std::int64_t hidden_size, std::int64_t intermediate_size, const std::string& hidden_act);
  /// x [N, L, hidden_size].
  torch::Tensor forward(const torch::Tensor& x);

  Linear fc1, fc2;

 private:
  bool quick_;
};
TORCH_MODULE(CLIPMLP);

/// Throws std::invalid_argument naming the class for a hidden_act that CLIPMLP does not have.
void require_clip_activation(const std::string& class_name, const std::string& hidden_act);

}  // namespace sfumato
