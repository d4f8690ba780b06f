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

  /// Names in the order of the header.
  const std::vector<std::string>& names() const;
  bool contains(const std::string& name) const;
  std::vector<std::int64_t> shape(const std::string& name) const;
  torch::Dtype dtype(const std::string& name) const;
  /// A view of the mapped bytes on the CPU, which it keeps alive; never write to it. Throws std::out_of_range.
  torch::Tensor tensor(const std::string& name) const;
  /// The header's __metadata__.
  const std::map<std::string, std::string>& metadata() const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

/// Writes tensors (any device, made contiguous) atomically (core/files.h), names sorted.
void write_safetensors(const std::filesystem::path& path, const std::map<std::string, torch::Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace sfumato
