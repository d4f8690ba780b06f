#include "adapters/lora_methods.h"

namespace sfumato {

const std::vector<LoraMethod>& lora_methods() {
  static const std::vector<LoraMethod> table = {low_rank_method(), loha_method(), lokr_method(), difference_method()};
  return table;
}

}  // namespace sfumato
