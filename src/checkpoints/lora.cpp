#include "checkpoints/lora.h"

#include <sstream>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "checkpoints/key_faults.h"
#include "checkpoints/lora_file.h"
#include "checkpoints/lora_magnitude.h"
#include "checkpoints/safetensors_header.h"

namespace sfumato {
namespace {

/// W + factor (W' - W) of the layer's W', in place, in float32.
void change(torch::Tensor& weight, const LoraLayer& layer, double factor) {
  const auto delta = layer.delta.compute(weight.device()).view(weight.sizes());
  if (!layer.magnitude.defined()) {
    weight.add_(delta, factor * layer.scale);
    return;
  }
  weight.lerp_(with_magnitude(weight.add(delta, layer.scale), layer.magnitude), factor);
}

/// What changes each weight, in the order of the files; the weights in the order in which they are first met.
class LoraChanges {
 public:
  void add(const torch::Tensor& weight, const LoraLayer& layer, double factor) {
    const auto [found, is_first] = index_.emplace(weight.unsafeGetTensorImpl(), weights_.size());
    if (is_first) weights_.push_back({weight, {}});
    weights_[found->second].changes.emplace_back(layer, factor);
  }

  void merge() const {
    const torch::NoGradGuard no_gradients;
    for (const auto& [weight, changes] : weights_) {
      auto merged = weight.to(torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
      for (const auto& [layer, factor] : changes) change(merged, layer, factor);
      torch::Tensor(weight).set_data(merged.to(weight.scalar_type()));
    }
  }

 private:
  struct ChangedWeight {
    torch::Tensor weight;
    std::vector<std::pair<LoraLayer, double>> changes;
  };

  std::vector<ChangedWeight> weights_;
  std::unordered_map<const void*, std::size_t> index_;
};

bool fits(const LoraLayer& layer, const torch::Tensor& weight) {
  return layer.delta.fits(weight.sizes()) &&
         (!layer.magnitude.defined() || magnitude_fits(layer.magnitude, weight.sizes()));
}

std::string misshapen(const LoraLayer& layer, const torch::Tensor& weight) {
  std::ostringstream out;
  out << in_quotes(layer.name) << " has " << layer.parts << " for a weight " << weight.sizes();
  return out.str();
}

double weight_of(const Lora& lora, const std::string& layer) {
  const bool is_text_encoder = layer.starts_with("lora_te") || layer.starts_with("text_encoder");
  return is_text_encoder ? lora.text_encoder_weight.value_or(lora.weight) : lora.weight;
}

void add_file(const Lora& lora, const LoraWeights& weights, LoraChanges& changes) {
  std::vector<std::string> unexpected, misfits;
  std::unordered_set<const void*> met;
  for (const auto& layer : read_lora(lora.path, lora.dyn)) {
    const auto found = weights.find(layer.name);
    if (found == weights.end())
      unexpected.push_back(in_quotes(layer.name));
    else if (!met.insert(found->second.unsafeGetTensorImpl()).second)
      unexpected.push_back(in_quotes(layer.name) + " (its weight is given twice)");
    else if (!fits(layer, found->second))
      misfits.push_back(misshapen(layer, found->second));
    else
      changes.add(found->second, layer, weight_of(lora, layer.name));
  }
  KeyFaults faults;
  faults.add("unexpected", unexpected);
  faults.add("misshapen", misfits);
  if (!faults.empty())
    throw std::runtime_error("'" + lora.path.string() + "' does not fit the model: " + faults.text());
}

}  // namespace

void apply_loras(const std::vector<Lora>& loras, const LoraWeights& weights) {
  LoraChanges changes;
  for (const auto& lora : loras) add_file(lora, weights, changes);
  changes.merge();
}

}  // namespace sfumato
