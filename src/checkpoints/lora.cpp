#include "checkpoints/lora.h"

#include <sstream>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "checkpoints/key_faults.h"
#include "checkpoints/lora_file.h"
#include "checkpoints/safetensors_header.h"

namespace sfumato {
namespace {

/// What is added to each weight, in the order in which the weights are first met.
class LoraSums {
 public:
  void add(const torch::Tensor& weight, const LoraLayer& layer, double factor) {
    const auto [found, is_first] = index_.emplace(weight.unsafeGetTensorImpl(), sums_.size());
    if (is_first) sums_.push_back({weight, {}});
    sums_[found->second].terms.emplace_back(layer, factor * layer.scale);
  }

  void merge() const {
    const torch::NoGradGuard no_gradients;
    for (const auto& sum : sums_) {
      auto merged = sum.weight.to(torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
      for (const auto& [layer, scale] : sum.terms) merged.add_(product(layer, merged), scale);
      torch::Tensor(sum.weight).set_data(merged.to(sum.weight.scalar_type()));
    }
  }

 private:
  struct Sum {
    torch::Tensor weight;
    std::vector<std::pair<LoraLayer, double>> terms;
  };

  /// up mid down, in `like`'s shape and on its device, in float32.
  static torch::Tensor product(const LoraLayer& layer, const torch::Tensor& like) {
    const auto placed = [&](const torch::Tensor& part) { return part.to(like.device(), torch::kFloat32); };
    const auto up = placed(layer.up).flatten(1), down = placed(layer.down).flatten(1);  // [out, r], [r, in k k]
    const auto between = layer.mid.defined() ? torch::einsum("rshw,si->rihw", {placed(layer.mid), down}) : down;
    return up.matmul(between.flatten(1)).view(like.sizes());
  }

  std::vector<Sum> sums_;
  std::unordered_map<const void*, std::size_t> index_;
};

/// As a convolution's: a linear layer is one of 1 x 1.
std::vector<std::int64_t> four_sizes(const torch::Tensor& tensor) {
  auto sizes = tensor.sizes().vec();
  sizes.resize(4, 1);
  return sizes;
}

bool fits(const LoraLayer& layer, const torch::Tensor& weight) {
  using Sizes = std::vector<std::int64_t>;
  const auto rank = layer.rank();
  const auto wanted = four_sizes(weight);
  const auto height = wanted[2], width = wanted[3];
  if (four_sizes(layer.up) != Sizes{wanted[0], rank, 1, 1}) return false;
  if (!layer.mid.defined()) return four_sizes(layer.down) == Sizes{rank, wanted[1], height, width};
  return four_sizes(layer.down) == Sizes{rank, wanted[1], 1, 1} &&
         four_sizes(layer.mid) == Sizes{rank, rank, height, width};
}

std::string misshapen(const LoraLayer& layer, const torch::Tensor& weight) {
  std::ostringstream out;
  out << in_quotes(layer.name) << " has down " << layer.down.sizes();
  if (layer.mid.defined()) out << ", mid " << layer.mid.sizes();
  out << " and up " << layer.up.sizes() << " for a weight " << weight.sizes();
  return out.str();
}

double weight_of(const Lora& lora, const std::string& layer) {
  const bool is_text_encoder = layer.starts_with("lora_te") || layer.starts_with("text_encoder");
  return is_text_encoder ? lora.text_encoder_weight.value_or(lora.weight) : lora.weight;
}

void add_file(const Lora& lora, const LoraWeights& weights, LoraSums& sums) {
  std::vector<std::string> unexpected, misfits;
  std::unordered_set<const void*> met;
  for (const auto& layer : read_lora(lora.path)) {
    const auto found = weights.find(layer.name);
    if (found == weights.end())
      unexpected.push_back(in_quotes(layer.name));
    else if (!met.insert(found->second.unsafeGetTensorImpl()).second)
      unexpected.push_back(in_quotes(layer.name) + " (its weight is given twice)");
    else if (!fits(layer, found->second))
      misfits.push_back(misshapen(layer, found->second));
    else
      sums.add(found->second, layer, weight_of(lora, layer.name));
  }
  KeyFaults faults;
  faults.add("unexpected", unexpected);
  faults.add("misshapen", misfits);
  if (!faults.empty())
    throw std::runtime_error("'" + lora.path.string() + "' does not fit the model: " + faults.text());
}

}  // namespace

void apply_loras(const std::vector<Lora>& loras, const LoraWeights& weights) {
  LoraSums sums;
  for (const auto& lora : loras) add_file(lora, weights, sums);
  sums.merge();
}

}  // namespace sfumato
