#pragma once

#include "checkpoints/tensor_file.h"

namespace sfumato {

/// A file of torch.save (.ckpt, .pt, .bin), memory-mapped, and read without executing any of the Python code that it
/// names (checkpoints/pickle.h).
class PickleFile final : public TensorFile {
 public:
  /// Throws std::runtime_error naming the path if it is no such file, names functions or classes that weights do not
  /// need, or holds a tensor that lies outside its storage.
  explicit PickleFile(const std::filesystem::path& path);
  ~PickleFile() override;

  /// Names of the tensors in the file's dictionary, or in its `state_dict`; the keys of nested dictionaries are joined
  /// by dots.
  const std::vector<std::string>& names() const override;
  bool contains(const std::string& name) const override;
  std::vector<std::int64_t> shape(const std::string& name) const override;
  torch::Dtype dtype(const std::string& name) const override;
  /// Returns a view, or a contiguous copy if the tensor is not contiguous, is not aligned or is boolean.
  torch::Tensor tensor(const std::string& name) const override;
  /// Releases the tensor's whole storage.
  void release(const std::string& name) const override;
  /// Strings of the file, under keys joined as those of the tensors.
  const std::map<std::string, std::string>& metadata() const override;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace sfumato
