#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sfumato {

/// A memory-mapped safetensors file (format: https://github.com/huggingface/safetensors). Everything in the header is
/// validated before a tensor is made: throws std::runtime_error naming the path and the fault.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  /// Names in the order of the header.
  const std::vector<std::string>& names() const;
  bool contains(const std::string& name) const;
  std::vector<std::int64_t> shape(const std::string& name) const;
  torch::Dtype dtype(const std::string& name) const;
  /// A view of the mapped bytes on the CPU, which it keeps alive; never write to it: the memory is read-only.
  /// A copy where a view cannot be had: bytes that are not aligned for the dtype, and booleans, of which a file may
  /// hold more than two. Throws std::out_of_range.
  torch::Tensor tensor(const std::string& name) const;
  /// Gives back the memory that holds a tensor's mapped bytes; a view of it stays valid and reads the file again.
  /// Throws std::out_of_range.
  void release(const std::string& name) const;
  /// The header's __metadata__.
  const std::map<std::string, std::string>& metadata() const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Writes tensors (any device, made contiguous) atomically (core/files.h), the same bytes as the reference's
/// `save_file`: wider dtypes first, names sorted within a dtype. Throws std::invalid_argument for a dtype that the
/// format lacks, an undefined tensor or the name "__metadata__", std::runtime_error where the file cannot be written.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, torch::Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace sfumato
