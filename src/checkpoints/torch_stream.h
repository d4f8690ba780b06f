#pragma once

#include <unordered_map>

#include "checkpoints/mapped_file.h"
#include "checkpoints/torch_records.h"

namespace sfumato {

/// torch.save's format before PyTorch 1.6, memory-mapped: pickles of a magic number, the format's version, the
/// machine's integers, the object and the list of storages, followed by each storage's size and elements.
class TorchStream final : public TorchRecords {
 public:
  /// Throws std::runtime_error naming the path if it is no such file, its pickle names functions or classes that
  /// weights do not need, or a storage runs past the end of the file.
  explicit TorchStream(const std::filesystem::path& path);

  const Pickle& pickle() const override { return pickle_; }
  bool contains(const std::string& key) const override { return storages_.contains(key); }
  std::string_view storage(const std::string& key) const override { return storages_.at(key); }
  void release(const std::string& key) const override;

 private:
  void read();
  void take_storages(std::string_view& bytes);

  MappedFile map_;
  Pickle pickle_;
  std::unordered_map<std::string, std::string_view> storages_;
};

}  // namespace sfumato
