#include "checkpoints/load.h"

#include <sstream>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "checkpoints/dtype.h"
#include "checkpoints/key_mismatches.h"
#include "checkpoints/safetensors_header.h"
#include "checkpoints/weight_files.h"

namespace sfumato {
namespace {

using TensorsByName = std::vector<std::pair<std::string, torch::Tensor>>;

/// Tensors of a module matched by name with those of a checkpoint.
struct Plan {
  struct Fill {
    std::string key;  // as the checkpoint writes it
    torch::Tensor target;
    std::int64_t part = 0, parts = 1;  // which of the stacked tensors
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

/// Shape of one of the `parts` tensors stacked in one of `shape`; a linear `target` takes a 1 x 1 convolution as 2-D.
std::vector<std::int64_t> part_shape(std::vector<std::int64_t> shape, std::int64_t parts, const torch::Tensor& target) {
  if (!shape.empty() && parts > 1) shape[0] = shape[0] % parts == 0 ? shape[0] / parts : -1;
  if (target.dim() == 2 && shape.size() == 4 && shape[2] == 1 && shape[3] == 1) shape.resize(2);
  return shape;
}

/// Returns why the checkpoint's tensor cannot fill `target`, or "". Integers in place of floating-point weights come
/// from a quantised checkpoint and are meaningless without its scales.
std::string misfit(const TensorFile& file, const Plan::Fill& fill) {
  const auto& [key, target, part, parts] = fill;
  const auto shape = file.shape(key);
  if (target.sizes() != at::IntArrayRef(part_shape(shape, parts, target)))
    return in_quotes(key) + " is " + shape_string(shape) + ", expected " + (parts > 1 ? "stacked " : "") +
           shape_string(target.sizes());
  const auto dtype = file.dtype(key);
  if (target.is_floating_point() != at::isFloatingType(dtype))
    return in_quotes(key) + " is " + safetensors_dtype_name(dtype) + ", expected " +
           (target.is_floating_point() ? "a floating-point dtype" : "an integer dtype");
  return "";
}

/// Assigns a checkpoint's tensors to a module's; each of the module's is filled once.
class Planner {
 public:
  explicit Planner(const torch::nn::Module& module) : tensors_(tensors_of(module)) {
    wanted_ = {tensors_.begin(), tensors_.end()};
  }

  void add(const std::string& key, const TensorFile& file, const std::vector<std::string>& names) {
    const auto parts = static_cast<std::int64_t>(names.size());
    for (std::int64_t part = 0; part < parts; ++part) {
      const auto& name = names[static_cast<std::size_t>(part)];
      const auto found = wanted_.find(name);
      if (found == wanted_.end()) {
        plan_.unexpected.push_back(in_quotes(key));
      } else if (!named_.insert(name).second) {
        plan_.unexpected.push_back(in_quotes(key) + " (" + in_quotes(name) + " is given twice)");
      } else {
        fill({key, found->second, part, parts}, file);
      }
    }
  }

  Plan finished() {
    for (const auto& [name, tensor] : tensors_)
      if (!filled_.contains(tensor.unsafeGetTensorImpl())) plan_.missing.push_back(in_quotes(name));
    return std::move(plan_);
  }

 private:
  void fill(const Plan::Fill& fill, const TensorFile& file) {
    filled_.insert(fill.target.unsafeGetTensorImpl());
    if (const auto fault = misfit(file, fill); !fault.empty()) {
      plan_.misshapen.push_back(fault);
    } else {
      plan_.fills.push_back(fill);
    }
  }

  TensorsByName tensors_;
  std::unordered_map<std::string, torch::Tensor> wanted_;
  // By tensor, not by name: a tensor registered under two names is filled through either.
  std::unordered_set<const void*> filled_;
  std::unordered_set<std::string> named_;
  Plan plan_;
};

Plan make_plan(const torch::nn::Module& module, const WeightFiles& files, const KeyNames& names) {
  Planner planner(module);
  for (const auto& key : files.names()) planner.add(key, files.file_of(key), names(key));
  return planner.finished();
}

std::string class_name(const torch::nn::Module& module) {
  auto name = module.name();
  if (const auto colon = name.rfind("::"); colon != name.npos) name.erase(0, colon + 2);
  if (name.ends_with("Impl")) name.resize(name.size() - 4);
  return name;
}

/// Throws if the plan does not fill the module exactly.
void check(const Plan& plan, const torch::nn::Module& module, const std::filesystem::path& path) {
  KeyMismatches faults;
  faults.add("missing", plan.missing);
  faults.add("unexpected", plan.unexpected);
  faults.add("misshapen", plan.misshapen);
  if (!faults.empty())
    throw std::runtime_error("'" + path.string() + "' does not fit " + class_name(module) + ": " + faults.text());
}

/// LibTorch converts float16 to bfloat16 on the CPU value by value. By way of float32, which has all values of both, it
/// is several times as fast.
torch::Tensor converted(const torch::Tensor& tensor, torch::Dtype dtype) {
  const bool slow = tensor.is_cpu() && tensor.scalar_type() == torch::kFloat16 && dtype == torch::kBFloat16;
  return slow ? tensor.to(torch::kFloat32).to(dtype) : tensor.to(dtype);
}

/// Converts the checkpoint's tensor for `fill.target`. It goes to the device before conversion: fewer bytes travel.
torch::Tensor placed(const torch::Tensor& mapped, const Plan::Fill& fill, const Placement& placement,
                     const LoadOptions& options) {
  const auto dtype = fill.target.is_floating_point() ? placement.dtype : fill.target.scalar_type();
  const auto part = fill.parts == 1 ? mapped : mapped.chunk(fill.parts)[static_cast<std::size_t>(fill.part)];
  auto tensor = converted(part.view(fill.target.sizes()).to(placement.device), dtype);
  return options.private_memory && tensor.is_alias_of(mapped) ? tensor.clone() : tensor;
}

}  // namespace

void load_weights(torch::nn::Module& module, const std::filesystem::path& path, const Placement& placement,
                  const KeyNames& names, const LoadOptions& options) {
  const WeightFiles files(path);
  const auto plan = make_plan(module, files, names);
  check(plan, module, path);
  for (const auto& fill : plan.fills) {
    const auto& file = files.file_of(fill.key);
    const auto mapped = file.tensor(fill.key);
    const auto tensor = placed(mapped, fill, placement, options);
    torch::Tensor(fill.target).set_data(tensor);
    if (!tensor.is_alias_of(mapped)) file.release(fill.key);  // at once, so that only one copy stays in memory
  }
}

void load_weights(torch::nn::Module& module, const std::filesystem::path& path, const Placement& placement,
                  const KeyRename& rename, const LoadOptions& options) {
  const KeyNames names = [&](const std::string& key) {
    const auto name = rename ? rename(key) : key;
    return name.empty() ? std::vector<std::string>() : std::vector<std::string>{name};
  };
  load_weights(module, path, placement, names, options);
}

}  // namespace sfumato
