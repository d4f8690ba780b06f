#include <stdexcept>

#include "adapters/lora_methods.h"

namespace sfumato {
namespace {

LoraMatrix loha_delta(const LoraParts& parts) {
  const bool is_tucker = parts.contains("hada_t1") || parts.contains("hada_t2");
  const auto product = [&](const std::string& number) {
    const auto core = is_tucker ? matrix_part(parts, "hada_t" + number) : torch::Tensor();
    const auto a = matrix_part(parts, "hada_w" + number + "_a"), b = matrix_part(parts, "hada_w" + number + "_b");
    return low_rank_matrix(a, b, core);
  };
  const auto first = product("1"), second = product("2");
  if (first.sizes != second.sizes) throw std::invalid_argument("products of different sizes");
  return {.sizes = first.sizes, .rank = first.rank, .compute = [=](torch::Device device) {
            return first.compute(device).mul_(second.compute(device));
          }};
}

}  // namespace

LoraMethod loha_method() {
  return {{{".hada_w1_a", "hada_w1_a"},
           {".hada_w1_b", "hada_w1_b"},
           {".hada_w2_a", "hada_w2_a"},
           {".hada_w2_b", "hada_w2_b"},
           {".hada_t1", "hada_t1"},
           {".hada_t2", "hada_t2"}},
          loha_delta};
}

}  // namespace sfumato
