#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sfumato {

/// Tensors by name in one file, whatever its format. Everything that a file says of its tensors is validated when it
/// is opened.
class TensorFile {
 public:
  virtual ~TensorFile() = default;

  /// In the order of the file.
  virtual const std::vector<std::string>& names() const = 0;
  virtual bool contains(const std::string& name) const = 0;
  /// These four throw std::out_of_range for a name that is not there.
  virtual std::vector<std::int64_t> shape(const std::string& name) const = 0;
  virtual torch::Dtype dtype(const std::string& name) const = 0;
  /// On the CPU: a view of the mapped file where that can be had, which it keeps alive and which must not be written
  /// to, or a copy.
  virtual torch::Tensor tensor(const std::string& name) const = 0;
  /// Gives back the memory that holds a tensor's mapped bytes; a view of it stays valid and reads the file again.
  virtual void release(const std::string& name) const = 0;
  /// What the file says in words beside its tensors.
  virtual const std::map<std::string, std::string>& metadata() const = 0;

 protected:
  TensorFile() = default;
  TensorFile(TensorFile&&) = default;
  TensorFile& operator=(TensorFile&&) = default;
};

/// Opens a safetensors file, or one that torch.save wrote (.ckpt, .pt, .bin), told apart by how they begin. Throws
/// std::runtime_error naming the path and the fault, or what the file is if it is of another kind (file_kind.h).
std::unique_ptr<TensorFile> open_tensors(const std::filesystem::path& path);

}  // namespace sfumato
