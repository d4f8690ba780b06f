#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "checkpoints/tensor_file.h"

namespace sfumato {

/// Tensors of a checkpoint, in one file or in shards.
class WeightFiles {
 public:
  /// Opens a file that open_tensors accepts, or a folder for load_weights: the first that exists of plain weights,
  /// shards with an index.json, the fp16 variant and pickles (.bin). Throws std::runtime_error if there is none, a file
  /// is invalid, a shard is missing or lies outside the folder, or index and shards disagree.
  explicit WeightFiles(const std::filesystem::path& path);

  /// Names in the order of the shards and, within one, of its header.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(const std::string& name) const { return file_of_.contains(name); }
  /// Returns the file that holds `name`. Throws std::out_of_range.
  const TensorFile& file_of(const std::string& name) const { return *files_[file_of_.at(name)]; }

 private:
  void add_file(const std::filesystem::path& path);
  void add_shards(const std::filesystem::path& index);

  std::vector<std::unique_ptr<TensorFile>> files_;
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::size_t> file_of_;
};

}  // namespace sfumato
