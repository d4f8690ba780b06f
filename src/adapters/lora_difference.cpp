#include <stdexcept>

#include "adapters/lora_methods.h"

namespace sfumato {
namespace {

LoraMatrix difference_delta(const LoraParts& parts) {
  const auto difference = parts.at("diff");
  if (difference.dim() == 0 || difference.dim() > 4)
    throw std::invalid_argument("diff of " + std::to_string(difference.dim()) + " dimensions");
  return whole_matrix(difference);
}

}  // namespace

LoraMethod difference_method() {
  return {{{".diff", "diff"}, {".diff_b", "diff", ".bias"}, {".w_norm", "diff"}, {".b_norm", "diff", ".bias"}},
          difference_delta};
}

}  // namespace sfumato
