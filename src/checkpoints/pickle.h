#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// Python's pickle format (opcodes: Lib/pickletools.py), as far as torch.save needs it for tensors. A pickle is a
/// program that may call any function. Here it may name only about a dozen, which build tensors and containers; the
/// code below builds these, and no Python is ever run.
namespace sfumato {

struct PickleValue;

struct PickleNone {};
/// A list or a tuple.
using PickleList = std::vector<const PickleValue*>;
/// Items of a dictionary in the order in which they were set.
using PickleDict = std::vector<std::pair<const PickleValue*, const PickleValue*>>;
/// A function or class by its name, such as "collections.OrderedDict".
struct PickleGlobal {
  std::string name;
};
/// A record of the archive that holds elements of tensors.
struct PickleStorage {
  torch::Dtype dtype = torch::kFloat32;
  std::string key;
  std::int64_t size = 0;  ///< in elements
};
/// A tensor as the pickle declares it: offset, shape and strides are not checked against the storage.
struct PickleTensor {
  PickleStorage storage;
  std::int64_t offset = 0;
  std::vector<std::int64_t> shape, strides;
};
/// A value that training tools store with the weights; its contents are ignored.
struct PickleOpaque {};

struct PickleValue {
  std::variant<PickleNone, bool, std::int64_t, double, std::string, PickleList, PickleDict, PickleGlobal, PickleStorage,
               PickleTensor, PickleOpaque>
      value;
};

/// A value and everything that it refers to, possibly in cycles.
struct Pickle {
  std::deque<PickleValue> values;
  const PickleValue* root = nullptr;
};

/// Reads the pickle at the start of `bytes` and removes it from them. Throws std::runtime_error with the fault, which
/// names every function or class that a file of weights does not need.
Pickle take_pickle(std::string_view& bytes);

/// True for a function or class that a file of weights may name.
bool is_known_global(const std::string& name);

/// Returns the result of the function `name`. Throws std::runtime_error naming it if it is unknown or the arguments
/// do not fit.
PickleValue call_known_global(const std::string& name, const PickleList& arguments);

/// Returns a new object of class `name`. Throws std::runtime_error as call_known_global does.
PickleValue make_known_object(const std::string& name, const PickleList& arguments);

/// Returns the storage of a persistent id of torch.save: ("storage", type, key, location, size), before PyTorch 1.6
/// followed by a view, which must be None.
PickleStorage storage_of(const PickleValue& persistent_id);

}  // namespace sfumato
