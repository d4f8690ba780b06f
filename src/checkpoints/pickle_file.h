#pragma once

#include "checkpoints/tensor_file.h"

namespace sfumato {

/// A file of torch.save (.ckpt, .pt, .bin), memory-mapped, and read without running anything of
/// what it asks Python to do (checkpoints/pickle.h).
class PickleFile final : public TensorFile {
 public:
  /// Throws std::runtime_error naming the path where it is no such file, asks for functions or classes that weights do
  /// not need, or a tensor lies outside its storage.
  explicit PickleFile(const std::filesystem::path& path);
  ~PickleFile() override;

  /// The tensors of the dictionary in the file, or of its `state_dict`; those of dictionaries within it have both keys,
  /// with a dot between.
  const std::vector<std::string>& names() const override;
  bool contains(const std::string& name) const override;
  std::vector<std::int64_t> shape(const std::string& name) const override;
  torch::Dtype dtype(const std::string& name) const override;
  /// A view; a contiguous copy where the tensor is not contiguous, the bytes are not aligned, and of booleans.
  torch::Tensor tensor(const std::string& name) const override;
  /// Of all that its storage holds.
  void release(const std::string& name) const override;
  /// Strings, by keys as the tensors have them.
  const std::map<std::string, std::string>& metadata() const override;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace sfumato
