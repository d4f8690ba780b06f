#include <stdexcept>

#include "adapters/lora_methods.h"

namespace sfumato {
namespace {

/// A factor of the Kronecker product: `name` itself, or a product of two factors, possibly with a core.
LoraMatrix kronecker_factor(const LoraParts& parts, const std::string& name, const std::string& core) {
  const bool is_in_factors = parts.contains(name + "_a") || parts.contains(name + "_b") || parts.contains(core);
  if (!is_in_factors) return whole_matrix(matrix_part(parts, name));
  if (parts.contains(name)) throw std::invalid_argument(name + " both whole and in factors");
  return low_rank_matrix(matrix_part(parts, name + "_a"), matrix_part(parts, name + "_b"), find_part(parts, core));
}

LoraMatrix lokr_delta(const LoraParts& parts) {
  const auto first = kronecker_factor(parts, "lokr_w1", ""), second = kronecker_factor(parts, "lokr_w2", "lokr_t2");
  if (first.sizes.size() != 2) throw std::invalid_argument("lokr_w1 that is no matrix");
  auto sizes = second.sizes;
  sizes[0] *= first.sizes[0];
  sizes[1] *= first.sizes[1];
  // With k k as the last digits of a column's index, the product of matrices equals that of convolutions.
  return {.sizes = sizes, .rank = second.rank != 0 ? second.rank : first.rank, .compute = [=](torch::Device device) {
            return torch::kron(first.compute(device), second.compute(device));
          }};
}

}  // namespace

LoraMethod lokr_method() {
  return {{{".lokr_w1", "lokr_w1"},
           {".lokr_w1_a", "lokr_w1_a"},
           {".lokr_w1_b", "lokr_w1_b"},
           {".lokr_w2", "lokr_w2"},
           {".lokr_w2_a", "lokr_w2_a"},
           {".lokr_w2_b", "lokr_w2_b"},
           {".lokr_t2", "lokr_t2"}},
          lokr_delta};
}

}  // namespace sfumato
