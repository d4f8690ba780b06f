#include "adapters/lora.h"

#include <sstream>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "adapters/lora_file.h"
#include "adapters/lora_magnitude.h"
#include "checkpoints/key_mismatches.h"
#include "checkpoints/safetensors_header.h"

namespace sfumato {
namespace {

/// Computes W + factor (W' - W) with the layer's W', in place, in float32.
void change(torch::Tensor& weight, const LoraLayer& layer, double factor) {
  const auto delta = layer.delta.compute(weight.device()).view(weight.sizes());
  if (!layer.magnitude.defined()) {
    weight.add_(delta, factor * layer.scale);
    return;
  }
  weight.lerp_(with_magnitude(weight.add(delta, layer.scale), layer.magnitude), factor);
}

/// Changes of each weight, in the order of the files; weights are in the order of their first change.
class LoraChanges {
 public:
  void add(const torch::Tensor& weight, const LoraLayer& layer, double factor) {
    const auto [found, is_first] = index_.emplace(weight.unsafeGetTensorImpl(), weights_.size());
    if (is_first) weights_.push_back({weight, {}});
    weights_[found->second].changes.emplace_back(layer, factor);
  }

  /// Merges all changes and returns the weights with their previous values.
  std::vector<std::pair<torch::Tensor, torch::Tensor>> merge() const {
    const torch::NoGradGuard no_gradients;
    std::vector<std::pair<torch::Tensor, torch::Tensor>> before;
    for (const auto& [weight, changes] : weights_) {
      auto merged = weight.to(torch::kFloat32, /*non_blocking=*/false, /*copy=*/true);
      for (const auto& [layer, factor] : changes) change(merged, layer, factor);
      before.emplace_back(weight, weight.detach());
      torch::Tensor(weight).set_data(merged.to(weight.scalar_type()));
    }
    return before;
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
  for (const auto* start : {"lora_te", "text_encoder", "lycoris_text_model"})
    if (layer.starts_with(start)) return lora.text_encoder_weight.value_or(lora.weight);
  return lora.weight;
}

/// Layers of a file that fit the model, and those that do not.
struct LoraFit {
  std::size_t layers = 0;
  std::vector<std::string> unexpected, misfits;
};

LoraFit add_fitting(const Lora& lora, const LoraWeights& weights, LoraChanges& changes) {
  LoraFit fit;
  std::unordered_set<const void*> met;
  for (const auto& layer : read_lora(lora.path, lora.dyn)) {
    const auto found = weights.find(layer.name);
    if (found == weights.end()) {
      fit.unexpected.push_back(in_quotes(layer.name));
    } else if (!met.insert(found->second.unsafeGetTensorImpl()).second) {
      fit.misfits.push_back(in_quotes(layer.name) + " (its weight is given twice)");
    } else if (!fits(layer, found->second)) {
      fit.misfits.push_back(misshapen(layer, found->second));
    } else {
      changes.add(found->second, layer, weight_of(lora, layer.name));
      ++fit.layers;
    }
  }
  return fit;
}

/// Returns a warning, or "".
std::string add_file(const Lora& lora, const LoraWeights& weights, LoraChanges& changes) {
  const auto fit = add_fitting(lora, weights, changes);
  const bool leaves_out = lora.partial && fit.layers > 0 && fit.misfits.empty();
  KeyMismatches unexpected;
  unexpected.add(leaves_out ? "left out, which the model lacks" : "unexpected", fit.unexpected);
  if (leaves_out) return unexpected.empty() ? "" : "'" + lora.path.string() + "': layers " + unexpected.text();
  unexpected.add("misshapen", fit.misfits);
  if (unexpected.empty()) return "";
  const auto advice = fit.misfits.empty() && fit.layers > 0 ? " (--lora-partial leaves them out)" : "";
  throw std::runtime_error("'" + lora.path.string() + "' does not fit the model: " + unexpected.text() + advice);
}

std::vector<std::string> add_files(const std::vector<Lora>& loras, const LoraWeights& weights, LoraChanges& changes) {
  std::vector<std::string> warnings;
  for (const auto& lora : loras)
    if (auto warning = add_file(lora, weights, changes); !warning.empty()) warnings.push_back(std::move(warning));
  return warnings;
}

}  // namespace

MergedLoras apply_loras(const std::vector<Lora>& loras, const LoraWeights& weights) {
  LoraChanges changes;
  auto warnings = add_files(loras, weights, changes);
  return {.warnings = std::move(warnings), .before = changes.merge()};
}

void remove_loras(const MergedLoras& merged) {
  for (const auto& [weight, before] : merged.before) torch::Tensor(weight).set_data(before);
}

std::vector<std::string> check_loras(const std::vector<Lora>& loras, const LoraWeights& weights) {
  LoraChanges changes;
  return add_files(loras, weights, changes);
}

}  // namespace sfumato
