#include "models/clip_layer.h"

#include "models/config.h"

namespace sfumato {

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
