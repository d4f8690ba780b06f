#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sfumato {

/// Tensors by name in one file of any format. Names, shapes, dtypes and positions of the tensors are validated when the
/// file is opened.
class TensorFile {
 public:
  virtual ~TensorFile() = default;

  /// Names in the order of the file.
  virtual const std::vector<std::string>& names() const = 0;
  virtual bool contains(const std::string& name) const = 0;
  /// These four throw std::out_of_range for an unknown name.
  virtual std::vector<std::int64_t> shape(const std::string& name) const = 0;
  virtual torch::Dtype dtype(const std::string& name) const = 0;
  /// Returns a tensor on the CPU: where possible a view, which keeps the mapped file alive and must not be written to;
  /// otherwise a copy.
  virtual torch::Tensor tensor(const std::string& name) const = 0;
  /// Releases the memory of a tensor's mapped bytes; a view of it stays valid and reads the file again.
  virtual void release(const std::string& name) const = 0;
  /// Strings that the file holds in addition to its tensors.
  virtual const std::map<std::string, std::string>& metadata() const = 0;

 protected:
  TensorFile() = default;
  TensorFile(TensorFile&&) = default;
  TensorFile& operator=(TensorFile&&) = default;
};

/// Opens a safetensors file, or one that torch.save wrote (.ckpt, .pt, .bin), distinguished by their first bytes.
/// Throws std::runtime_error naming the path and the fault, or the kind of another file (file_kind.h).
std::unique_ptr<TensorFile> open_tensors(const std::filesystem::path& path);

}  // namespace sfumato
