#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "checkpoints/tensor_file.h"

namespace sfumato {

/// A memory-mapped safetensors file (format: https://github.com/huggingface/safetensors). The whole header is validated
/// before any tensor is made: throws std::runtime_error naming the path and the fault.
class SafetensorsFile final : public TensorFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile() override;
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  const std::vector<std::string>& names() const override;
  bool contains(const std::string& name) const override;
  std::vector<std::int64_t> shape(const std::string& name) const override;
  torch::Dtype dtype(const std::string& name) const override;
  /// Returns a view, or a copy if the bytes are not aligned for the dtype or are booleans, whose bytes in a file may be
  /// neither 0 nor 1.
  torch::Tensor tensor(const std::string& name) const override;
  void release(const std::string& name) const override;
  /// The header's __metadata__.
  const std::map<std::string, std::string>& metadata() const override;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Writes tensors (any device, made contiguous) atomically (core/files.h), byte for byte as the reference's
/// `save_file`: wider dtypes first, names sorted within a dtype. Throws std::invalid_argument for a dtype that the
/// format lacks, an undefined tensor or the name "__metadata__"; std::runtime_error if the file cannot be written.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, torch::Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace sfumato
