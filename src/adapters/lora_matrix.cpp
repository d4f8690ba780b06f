#include "adapters/lora_matrix.h"

#include <stdexcept>

namespace sfumato {
namespace {

/// Moves a part to a device in float32, as [first size, the rest].
torch::Tensor placed(const torch::Tensor& part, torch::Device device) {
  return part.to(device, torch::kFloat32).reshape({part.size(0), -1});
}

LoraMatrix tucker_matrix(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& core) {
  const auto out = a.flatten(1).size(1), in = b.flatten(1).size(1);
  return {.sizes = {out, in, core.size(2), core.size(3)}, .rank = b.size(0), .compute = [=](torch::Device device) {
            const auto inner = core.to(device, torch::kFloat32);
            const auto right = torch::einsum("rshw,si->rihw", {inner, placed(b, device)});  // [rank, in, k, k]
            return placed(a, device).t().matmul(right.flatten(1));
          }};
}

}  // namespace

bool LoraMatrix::fits(torch::IntArrayRef weight) const {
  if (four_sizes(sizes) == four_sizes(weight)) return true;
  return sizes.size() == 2 && sizes[0] == weight[0] && sizes[0] * sizes[1] == c10::multiply_integers(weight);
}

std::vector<std::int64_t> four_sizes(torch::IntArrayRef sizes) {
  auto four = sizes.vec();
  four.resize(4, 1);
  return four;
}

torch::Tensor find_part(const LoraParts& parts, const std::string& name) {
  const auto found = parts.find(name);
  return found == parts.end() ? torch::Tensor() : found->second;
}

torch::Tensor matrix_part(const LoraParts& parts, const std::string& name) {
  const auto part = find_part(parts, name);
  if (!part.defined()) throw std::invalid_argument("no " + name);
  if (part.dim() != 2 && part.dim() != 4)
    throw std::invalid_argument(name + " of " + std::to_string(part.dim()) + " dimensions");
  return part;
}

LoraMatrix whole_matrix(const torch::Tensor& part) {
  return {.sizes = part.sizes().vec(), .compute = [part](torch::Device device) { return placed(part, device); }};
}

LoraMatrix low_rank_matrix(const torch::Tensor& a, const torch::Tensor& b, const torch::Tensor& core) {
  const auto rank = b.size(0);
  const bool fit = core.defined() ? core.dim() == 4 && a.size(0) == core.size(0) && core.size(1) == rank
                                  : a.flatten(1).size(1) == rank;
  if (rank == 0 || !fit) throw std::invalid_argument("parts of different ranks");
  if (core.defined()) return tucker_matrix(a, b, core);
  auto sizes = b.sizes().vec();
  sizes[0] = a.size(0);
  return {.sizes = sizes, .rank = rank, .compute = [=](torch::Device device) {
            return placed(a, device).matmul(placed(b, device));
          }};
}

}  // namespace sfumato
