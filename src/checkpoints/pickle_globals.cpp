#include <map>
#include <set>
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

/// Returns a shape or strides. (Lists are shared by reference: copying a long one many times would exhaust memory.)
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

/// (function, type, arguments, attributes): a tensor with extra attributes.
PickleValue rebuild_with_attributes(const PickleList& arguments) {
  const auto& function = argument<PickleGlobal>(arguments, 0).name;
  if (!function.starts_with("torch._utils._rebuild_")) throw std::runtime_error(in_quotes(function));
  return call_known_global(function, argument<PickleList>(arguments, 2));
}

/// (): its items are set afterwards.
PickleValue ordered_dict(const PickleList& arguments) {
  if (!arguments.empty()) throw std::runtime_error("arguments");
  return {PickleDict{}};
}

/// (sizes)
PickleValue torch_size(const PickleList& arguments) {
  const auto& sizes = argument<PickleList>(arguments, 0);
  numbers(sizes);
  return {sizes};
}

PickleValue opaque(const PickleList&) {
  return {PickleOpaque{}};
}

using Function = PickleValue (*)(const PickleList&);

/// Functions that torch's weights_only and AUTOMATIC1111's safe unpickler allow, as far as files of weights use them.
/// A value whose contents are ignored is opaque.
const std::map<std::string, Function>& functions() {
  static const std::map<std::string, Function> table = {
      {"collections.OrderedDict", ordered_dict},
      {"torch._utils._rebuild_tensor", rebuild_tensor},
      {"torch._utils._rebuild_tensor_v2", rebuild_tensor},
      {"torch._utils._rebuild_parameter", rebuild_parameter},
      {"torch._utils._rebuild_parameter_with_state", rebuild_parameter},
      {"torch._tensor._rebuild_from_type_v2", rebuild_with_attributes},
      {"torch.nn.parameter.Parameter", rebuild_parameter},
      {"torch.Size", torch_size},
      {"torch.device", opaque},
      {"torch.serialization._get_layout", opaque},
      {"collections.Counter", opaque},
      {"__builtin__.set", opaque},
      {"__builtin__.frozenset", opaque},
      {"__builtin__.bytearray", opaque},
      {"__builtin__.complex", opaque},
      {"builtins.set", opaque},
      {"builtins.frozenset", opaque},
      {"builtins.bytearray", opaque},
      {"builtins.complex", opaque},
      {"numpy.core.multiarray.scalar", opaque},
      {"numpy._core.multiarray.scalar", opaque},
      {"numpy.core.multiarray._reconstruct", opaque},
      {"numpy._core.multiarray._reconstruct", opaque},
      {"numpy.dtype", opaque},
      {"_codecs.encode", opaque}};
  return table;
}

/// Classes whose objects are made without a call; their attributes are set afterwards.
const std::map<std::string, Function>& classes() {
  static const std::map<std::string, Function> table = {
      {"collections.OrderedDict", ordered_dict},
      {"torch.nn.modules.container.ParameterDict", ordered_dict},
  };
  return table;
}

/// True for a name that training tools store as a value: dtypes, types, and the keys of callback states in Stable
/// Diffusion 1's own files.
bool is_known_value(const std::string& name) {
  static const std::set<std::string> names = {"torch.float16",
                                              "torch.bfloat16",
                                              "torch.float32",
                                              "torch.float64",
                                              "torch.int8",
                                              "torch.uint8",
                                              "torch.int16",
                                              "torch.int32",
                                              "torch.int64",
                                              "torch.bool",
                                              "torch.Tensor",
                                              "numpy.ndarray",
                                              "pytorch_lightning.callbacks.model_checkpoint",
                                              "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint"};
  return names.contains(name);
}

/// Throws std::runtime_error that begins with `deed` if the table lacks the name or the arguments are wrong.
PickleValue apply_known(const std::map<std::string, Function>& table, const std::string& name,
                        const PickleList& arguments, const std::string& deed) {
  const auto found = table.find(name);
  if (found == table.end()) throw std::runtime_error(deed + in_quotes(name));
  try {
    return found->second(arguments);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(deed + in_quotes(name) + " with " + error.what());
  }
}

}  // namespace

bool is_known_global(const std::string& name) {
  return functions().contains(name) || classes().contains(name) || storage_types().contains(name) ||
         is_known_value(name);
}

PickleValue call_known_global(const std::string& name, const PickleList& arguments) {
  return apply_known(functions(), name, arguments, "it calls ");
}

PickleValue make_known_object(const std::string& name, const PickleList& arguments) {
  return apply_known(classes(), name, arguments, "it makes a ");
}

PickleStorage storage_of(const PickleValue& persistent_id) {
  const auto* id = std::get_if<PickleList>(&persistent_id.value);
  if (id == nullptr || (id->size() != 5 && id->size() != 6) || argument<std::string>(*id, 0) != "storage")
    throw std::runtime_error("a persistent id that is no storage's");
  if (id->size() == 6) argument<PickleNone>(*id, 5);
  const auto& type = argument<PickleGlobal>(*id, 1).name;
  const auto found = storage_types().find(type);
  if (found == storage_types().end()) throw std::runtime_error("it has a storage of type " + in_quotes(type));
  const auto& key = argument<std::string>(*id, 2);
  constexpr std::size_t kLongestKey = 64;
  if (key.size() > kLongestKey) throw std::runtime_error("a storage named " + in_quotes(key));
  return {found->second, key, argument<std::int64_t>(*id, 4)};
}

}  // namespace sfumato
