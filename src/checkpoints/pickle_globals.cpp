#include <map>
#include <stdexcept>

#include "checkpoints/pickle.h"
#include "checkpoints/safetensors_header.h"

namespace sfumato {
namespace {

const std::map<std::string, torch::Dtype>& storage_types() {
  static const std::map<std::string, torch::Dtype> types = {
      {"torch.FloatStorage", torch::kFloat32},     {"torch.HalfStorage", torch::kFloat16},
      {"torch.BFloat16Storage", torch::kBFloat16}, {"torch.DoubleStorage", torch::kFloat64},
      {"torch.LongStorage", torch::kInt64},        {"torch.IntStorage", torch::kInt32},
      {"torch.ShortStorage", torch::kInt16},       {"torch.CharStorage", torch::kInt8},
      {"torch.ByteStorage", torch::kUInt8},        {"torch.BoolStorage", torch::kBool}};
  return types;
}

template <class T>
const T& argument(const PickleList& arguments, std::size_t index) {
  const auto* value = index < arguments.size() ? std::get_if<T>(&arguments[index]->value) : nullptr;
  if (value == nullptr) throw std::runtime_error("a wrong argument " + std::to_string(index));
  return *value;
}

/// A shape or strides. (Lists are shared by reference: a long one, copied often, would be a bomb.)
std::vector<std::int64_t> numbers(const PickleList& list) {
  constexpr std::size_t kMostDimensions = 64;
  if (list.size() > kMostDimensions) throw std::runtime_error(std::to_string(list.size()) + " dimensions");
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < list.size(); ++i) result.push_back(argument<std::int64_t>(list, i));
  return result;
}

/// (storage, offset, size, stride, requires_grad, backward_hooks)
PickleValue rebuild_tensor(const PickleList& arguments) {
  return {PickleTensor{.storage = argument<PickleStorage>(arguments, 0),
                       .offset = argument<std::int64_t>(arguments, 1),
                       .shape = numbers(argument<PickleList>(arguments, 2)),
                       .strides = numbers(argument<PickleList>(arguments, 3))}};
}

/// (tensor, requires_grad, backward_hooks)
PickleValue rebuild_parameter(const PickleList& arguments) {
  return {argument<PickleTensor>(arguments, 0)};
}

/// (): what it holds is set afterwards.
PickleValue ordered_dict(const PickleList& arguments) {
  if (!arguments.empty()) throw std::runtime_error("arguments");
  return {PickleDict{}};
}

PickleValue opaque(const PickleList&) {
  return {PickleOpaque{}};
}

using Function = PickleValue (*)(const PickleList&);

const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> table = {{"collections.OrderedDict", ordered_dict},
                                                        {"torch._utils._rebuild_tensor_v2", rebuild_tensor},
                                                        {"torch._utils._rebuild_parameter", rebuild_parameter},
                                                        {"numpy.core.multiarray.scalar", opaque},
                                                        {"numpy._core.multiarray.scalar", opaque},
                                                        {"numpy.dtype", opaque},
                                                        {"_codecs.encode", opaque}};
  return table;
}

/// Stable Diffusion 1's own files have it among the keys of their callbacks' states.
constexpr const char* kModelCheckpoint = "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint";

}  // namespace

bool is_known_global(const std::string& name) {
  return functions().contains(name) || storage_types().contains(name) || name == kModelCheckpoint;
}

PickleValue call_known_global(const std::string& name, const PickleList& arguments) {
  const auto found = functions().find(name);
  if (found == functions().end()) throw std::runtime_error("it calls " + in_quotes(name));
  try {
    return found->second(arguments);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("it calls " + in_quotes(name) + " with " + error.what());
  }
}

PickleStorage storage_of(const PickleValue& persistent_id) {
  const auto* id = std::get_if<PickleList>(&persistent_id.value);
  if (id == nullptr || id->size() != 5 || argument<std::string>(*id, 0) != "storage")
    throw std::runtime_error("a persistent id that is no storage's");
  const auto& type = argument<PickleGlobal>(*id, 1).name;
  const auto found = storage_types().find(type);
  if (found == storage_types().end()) throw std::runtime_error("it has a storage of type " + in_quotes(type));
  const auto& key = argument<std::string>(*id, 2);
  constexpr std::size_t kLongestKey = 64;
  if (key.size() > kLongestKey) throw std::runtime_error("a storage named " + in_quotes(key));
  return {found->second, key, argument<std::int64_t>(*id, 4)};
}

}  // namespace sfumato
