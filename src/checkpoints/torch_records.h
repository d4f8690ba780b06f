#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "checkpoints/pickle.h"

namespace sfumato {

/// Contents of a file of torch.save in either of its formats: a pickle, and storages by their keys, which hold the
/// tensors' elements.
class TorchRecords {
 public:
  virtual ~TorchRecords() = default;

  /// Throws std::runtime_error as take_pickle does.
  virtual const Pickle& pickle() const = 0;
  virtual bool contains(const std::string& key) const = 0;
  /// Returns the bytes of a storage, which live as long as this object. Throws std::out_of_range.
  virtual std::string_view storage(const std::string& key) const = 0;
  /// Releases the memory that holds a storage's bytes. Throws std::out_of_range.
  virtual void release(const std::string& key) const = 0;
};

/// True for the first bytes of a zip archive, torch.save's format since PyTorch 1.6.
bool is_torch_archive(std::string_view begin);
/// True for the first bytes of torch.save's format before that: pickles one after the other, then the storages.
bool is_torch_stream(std::string_view begin);

/// Opens a file in either format. Throws std::runtime_error naming the path if it has neither.
std::unique_ptr<TorchRecords> open_torch_records(const std::filesystem::path& path);

}  // namespace sfumato
