#include "adapters/lora_methods.h"

namespace sfumato {
namespace {

LoraMatrix low_rank_delta(const LoraParts& parts) {
  const auto down = matrix_part(parts, "down"), up = matrix_part(parts, "up");
  const bool has_mid = parts.contains("mid");
  const auto mid = has_mid ? matrix_part(parts, "mid") : torch::Tensor();
  auto delta = low_rank_matrix(has_mid ? up.flatten(1).t() : up, down, mid);
  delta.sizes = four_sizes(delta.sizes);  // `down` of a k x k convolution has all four
  return delta;
}

}  // namespace

LoraMethod low_rank_method() {
  return {{{".lora_down.weight", "down"},
           {".lora_up.weight", "up"},
           {".lora_mid.weight", "mid"},
           {".lora_A.weight", "down"},
           {".lora_B.weight", "up"},
           {".lora_A.default.weight", "down"},  // a state_dict of peft's model, with the adapter's name
           {".lora_B.default.weight", "up"},
           {".lora.down.weight", "down"},
           {".lora.up.weight", "up"},
           {".lora_linear_layer.down.weight", "down"},
           {".lora_linear_layer.up.weight", "up"},
           {"_lora.down.weight", "down"},  // attention processors: processor.to_q_lora.down.weight
           {"_lora.up.weight", "up"}},
          low_rank_delta};
}

}  // namespace sfumato
