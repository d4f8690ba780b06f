#include "checkpoints/pickle_file.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <unordered_map>
#include <unordered_set>

#include "checkpoints/pickle.h"
#include "checkpoints/safetensors_header.h"
#include "checkpoints/torch_records.h"

namespace sfumato {
namespace {

/// Contents of a pickle's dictionaries, each under one name.
struct PickledTensors {
  std::vector<std::string> names;
  std::unordered_map<std::string, PickleTensor> tensors;
  std::map<std::string, std::string> strings;
};

/// Visits nested dictionaries, each once: a dictionary may contain itself.
class PickleWalk {
 public:
  void visit(const PickleDict& dict, const std::string& prefix) {
    if (!visited_.insert(&dict).second) return;
    for (const auto& [key, value] : dict)
      if (const auto* name = std::get_if<std::string>(&key->value)) take(prefix + *name, *value);
  }
  PickledTensors found;

 private:
  void take(const std::string& name, const PickleValue& item) {
    constexpr std::size_t kLongestName = 512;
    if (name.size() > kLongestName) throw std::runtime_error("a name is longer than 512 bytes: " + in_quotes(name));
    if (const auto* tensor = std::get_if<PickleTensor>(&item.value)) {
      // As in Python, a key that is set again has the later value.
      if (found.tensors.insert_or_assign(name, *tensor).second) found.names.push_back(name);
    } else if (const auto* text = std::get_if<std::string>(&item.value)) {
      found.strings[name] = *text;
    } else if (const auto* inner = std::get_if<PickleDict>(&item.value)) {
      visit(*inner, name + ".");
    }
  }

  std::unordered_set<const PickleDict*> visited_;
};

const PickleDict& dictionary_of(const Pickle& pickle) {
  const auto* root = std::get_if<PickleDict>(&pickle.root->value);
  if (root == nullptr) throw std::runtime_error("it holds no dictionary of tensors");
  for (const auto& [key, value] : *root) {
    const auto* name = std::get_if<std::string>(&key->value);
    if (name == nullptr || *name != "state_dict") continue;
    if (const auto* inner = std::get_if<PickleDict>(&value->value)) return *inner;
  }
  return *root;
}

/// Returns one past the last element that the tensor reaches in its storage, or -1 if a size or stride is negative or
/// the sum overflows.
std::int64_t reach(const PickleTensor& tensor) {
  auto last = tensor.offset;
  bool empty = false;
  if (last < 0 || tensor.shape.size() != tensor.strides.size()) return -1;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    std::int64_t step = 0;
    const auto size = tensor.shape[i], stride = tensor.strides[i];
    if (size < 0 || stride < 0 || __builtin_mul_overflow(std::max<std::int64_t>(size - 1, 0), stride, &step) ||
        __builtin_add_overflow(last, step, &last))
      return -1;
    empty = empty || size == 0;
  }
  if (empty) return tensor.offset;
  return __builtin_add_overflow(last, 1, &last) ? -1 : last;
}

/// Returns the product of the sizes, or -1 if it overflows. (A stride of 0 repeats one element many times.)
std::int64_t count_of(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const auto size : shape)
    if (__builtin_mul_overflow(count, size, &count)) return -1;
  return count;
}

void check_tensor(const std::string& name, const PickleTensor& tensor, const TorchRecords& records) {
  const auto of = "tensor " + in_quotes(name) + ": ";
  if (!records.contains(tensor.storage.key))
    throw std::runtime_error(of + "there is no storage " + in_quotes(tensor.storage.key));
  const auto bytes = records.storage(tensor.storage.key).size();
  const auto held = static_cast<std::int64_t>(bytes / c10::elementSize(tensor.storage.dtype));
  if (tensor.storage.size != held)
    throw std::runtime_error(of + "its storage is to hold " + std::to_string(tensor.storage.size) +
                             " numbers, but the record has " + std::to_string(held));
  const auto end = reach(tensor), count = count_of(tensor.shape);
  if (end < 0 || end > held || count < 0 || count > held)
    throw std::runtime_error(of + "its offset, shape and strides lead out of its storage of " + std::to_string(held) +
                             " numbers");
}

}  // namespace

struct PickleFile::Impl {
  explicit Impl(const std::filesystem::path& path) : path(path), records(open_torch_records(path)) {
    try {
      read();
    } catch (const std::runtime_error& error) {
      throw std::runtime_error("'" + path.string() + "': " + error.what());
    }
  }

  void read() {
    PickleWalk walk;
    walk.visit(dictionary_of(records->pickle()), "");
    found = std::move(walk.found);
    if (found.names.empty()) throw std::runtime_error("it holds no tensors");
    for (const auto& name : found.names) check_tensor(name, found.tensors.at(name), *records);
  }

  const PickleTensor& tensor(const std::string& name) const {
    const auto it = found.tensors.find(name);
    if (it == found.tensors.end()) throw std::out_of_range("'" + path.string() + "' has no tensor " + in_quotes(name));
    return it->second;
  }

  std::filesystem::path path;
  std::unique_ptr<TorchRecords> records;
  PickledTensors found;
};

PickleFile::PickleFile(const std::filesystem::path& path) : impl_(std::make_shared<const Impl>(path)) {}
PickleFile::~PickleFile() = default;

const std::vector<std::string>& PickleFile::names() const {
  return impl_->found.names;
}
bool PickleFile::contains(const std::string& name) const {
  return impl_->found.tensors.contains(name);
}
std::vector<std::int64_t> PickleFile::shape(const std::string& name) const {
  return impl_->tensor(name).shape;
}
torch::Dtype PickleFile::dtype(const std::string& name) const {
  return impl_->tensor(name).storage.dtype;
}
const std::map<std::string, std::string>& PickleFile::metadata() const {
  return impl_->found.strings;
}

torch::Tensor PickleFile::tensor(const std::string& name) const {
  const auto& [storage, offset, shape, strides] = impl_->tensor(name);
  const auto bytes = impl_->records->storage(storage.key);
  const auto keep_mapped = [impl = impl_](void*) {};
  // from_blob takes writable memory; the map is PROT_READ, so a write to the view stops the program.
  auto* data = const_cast<char*>(bytes.data());
  const bool is_bool = storage.dtype == torch::kBool;
  torch::Tensor all;
  if (is_bool || reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(storage.dtype) == 0) {
    all = torch::from_blob(data, {storage.size}, keep_mapped, is_bool ? torch::kUInt8 : storage.dtype);
  } else {
    all = torch::empty({storage.size}, storage.dtype);
    std::memcpy(all.data_ptr(), data, all.nbytes());
  }
  const auto view = all.as_strided(shape, strides, offset);
  return is_bool ? view.ne(0) : view.contiguous();
}

void PickleFile::release(const std::string& name) const {
  impl_->records->release(impl_->tensor(name).storage.key);
}

}  // namespace sfumato
