#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// Python's pickle format (Lib/pickletools.py says what each opcode means), as far as torch.save needs it for tensors.
/// A pickle is a program that may call any function; here it may name a dozen that build tensors and containers, which
/// are built by the code below, and nothing of Python is ever run.
namespace sfumato {

struct PickleValue;

struct PickleNone {};
/// A list or a tuple.
using PickleList = std::vector<const PickleValue*>;
/// In the order in which the items were set.
using PickleDict = std::vector<std::pair<const PickleValue*, const PickleValue*>>;
/// A function or class by its name, as "collections.OrderedDict".
struct PickleGlobal {
  std::string name;
};
/// A record of the archive that holds tensors' numbers.
struct PickleStorage {
  torch::Dtype dtype = torch::kFloat32;
  std::string key;
  std::int64_t size = 0;  ///< in numbers
};
/// As the pickle says it: offset, shape and strides are not checked against the storage.
struct PickleTensor {
  PickleStorage storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape, strides;
};
/// What training tools keep beside the weights: not looked into.
struct PickleOpaque {};

struct PickleValue {
  std::variant<PickleNone, bool, std::int64_t, double, std::string, PickleList, PickleDict, PickleGlobal, PickleStorage,
               PickleTensor, PickleOpaque>
      value;
};

/// A value and all that it refers to, which may refer to itself.
struct Pickle {
  std::deque<PickleValue> values;
  const PickleValue* root = nullptr;
};

/// Reads the pickle that `bytes` begin with, and removes it from them. Throws std::runtime_error that says what is
/// wrong with it, and names every function or class that a file of weights has no need of.
Pickle take_pickle(std::string_view& bytes);

/// Is this a function or class that a file of weights may name?
bool is_known_global(const std::string& name);

/// What the function `name` makes of its arguments. Throws std::runtime_error naming it where it is none of the known,
/// or the arguments are not its own.
PickleValue call_known_global(const std::string& name, const PickleList& arguments);

/// What a new object of class `name` is. Throws std::runtime_error as call_known_global does.
PickleValue make_known_object(const std::string& name, const PickleList& arguments);

/// The storage that a persistent id of torch.save names: ("storage", type, key, location, size), before PyTorch 1.6
/// with a view of it, which must be none.
PickleStorage storage_of(const PickleValue& persistent_id);

}  // namespace sfumato
