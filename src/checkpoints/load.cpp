#include "checkpoints/load.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "checkpoints/dtype.h"
#include "checkpoints/safetensors_header.h"
#include "checkpoints/weight_files.h"

namespace sfumato {
namespace {

using TensorsByName = std::vector<std::pair<std::string, torch::Tensor>>;

/// What a module wants and what a checkpoint has, brought together by name.
struct Plan {
  struct Fill {
    std::string key;  // as the checkpoint writes it
    torch::Tensor target;
  };
  std::vector<Fill> fills;
  std::vector<std::string> missing, unexpected, misshapen;
};

TensorsByName tensors_of(const torch::nn::Module& module) {
  TensorsByName tensors;
  for (const auto& item : module.named_parameters()) tensors.emplace_back(item.key(), item.value());
  for (const auto& item : module.named_buffers())
    if (item.value().defined()) tensors.emplace_back(item.key(), item.value());
  return tensors;
}

std::string shape_string(at::IntArrayRef shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

/// Why the checkpoint's tensor cannot fill `target`, or "". Integers in place of floating-point weights are a
/// quantised checkpoint's, which means nothing without its scales.
std::string misfit(const SafetensorsFile& file, const std::string& key, const torch::Tensor& target) {
  const auto shape = file.shape(key);
  if (target.sizes() != at::IntArrayRef(shape))
    return in_quotes(key) + " is " + shape_string(shape) + ", expected " + shape_string(target.sizes());
  const auto dtype = file.dtype(key);
  if (target.is_floating_point() != at::isFloatingType(dtype))
    return in_quotes(key) + " is " + safetensors_dtype_name(dtype) + ", expected " +
           (target.is_floating_point() ? "a floating-point dtype" : "an integer dtype");
  return "";
}

Plan make_plan(const torch::nn::Module& module, const WeightFiles& files, const KeyRename& rename) {
  Plan plan;
  const auto tensors = tensors_of(module);
  const std::unordered_map<std::string, torch::Tensor> wanted(tensors.begin(), tensors.end());
  // By tensor, not by name: what is registered under two names is filled through either.
  std::unordered_set<const void*> filled;
  std::unordered_set<std::string> named;
  for (const auto& key : files.names()) {
    const auto name = rename ? rename(key) : key;
    if (name.empty()) continue;
    const auto found = wanted.find(name);
    if (found == wanted.end()) {
      plan.unexpected.push_back(in_quotes(key));
    } else if (!named.insert(name).second) {
      plan.unexpected.push_back(in_quotes(key) + " (" + in_quotes(name) + " is given twice)");
    } else if (const auto fault = misfit(files.file_of(key), key, found->second); !fault.empty()) {
      plan.misshapen.push_back(fault);
      filled.insert(found->second.unsafeGetTensorImpl());
    } else {
      plan.fills.push_back({key, found->second});
      filled.insert(found->second.unsafeGetTensorImpl());
    }
  }
  for (const auto& [name, tensor] : tensors)
    if (!filled.contains(tensor.unsafeGetTensorImpl())) plan.missing.push_back(in_quotes(name));
  return plan;
}

std::string list(const std::string& kind, const std::vector<std::string>& keys) {
  constexpr std::size_t kShown = 20;
  auto text = std::to_string(keys.size()) + " " + kind + ": ";
  for (std::size_t i = 0; i < std::min(keys.size(), kShown); ++i) text += (i == 0 ? "" : ", ") + keys[i];
  return text + (keys.size() > kShown ? ", ..." : "");
}

std::string class_name(const torch::nn::Module& module) {
  auto name = module.name();
  if (const auto colon = name.rfind("::"); colon != name.npos) name.erase(0, colon + 2);
  if (name.ends_with("Impl")) name.resize(name.size() - 4);
  return name;
}

/// Throws where the plan does not fill the module exactly.
void check(const Plan& plan, const torch::nn::Module& module, const std::filesystem::path& path) {
  std::string faults;
  for (const auto& [kind, keys] : {std::pair("missing", &plan.missing), std::pair("unexpected", &plan.unexpected),
                                   std::pair("misshapen", &plan.misshapen)})
    if (!keys->empty()) faults += (faults.empty() ? ": " : "; ") + list(kind, *keys);
  if (!faults.empty()) throw std::runtime_error("'" + path.string() + "' does not fit " + class_name(module) + faults);
}

/// The checkpoint's tensor as `target` is to hold it. Copies go to the device first: fewer bytes travel.
torch::Tensor placed(const torch::Tensor& mapped, torch::Dtype dtype, const Placement& placement,
                     const LoadOptions& options) {
  auto tensor = mapped.to(placement.device).to(dtype);
  return options.private_memory && tensor.is_alias_of(mapped) ? tensor.clone() : tensor;
}

}  // namespace

void load_weights(torch::nn::Module& module, const std::filesystem::path& path, const Placement& placement,
                  const KeyRename& rename, const LoadOptions& options) {
  const WeightFiles files(path);
  const auto plan = make_plan(module, files, rename);
  check(plan, module, path);
  for (const auto& [key, target] : plan.fills) {
    const auto& file = files.file_of(key);
    const auto mapped = file.tensor(key);
    const auto dtype = target.is_floating_point() ? placement.dtype : target.scalar_type();
    const auto tensor = placed(mapped, dtype, placement, options);
    torch::Tensor(target).set_data(tensor);
    if (!tensor.is_alias_of(mapped)) file.release(key);  // as it goes, or both copies are held at the end
  }
}

}  // namespace sfumato
