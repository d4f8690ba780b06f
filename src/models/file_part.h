#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "checkpoints/tensor_file.h"

namespace sfumato {

/// Keys and shapes of a file under a prefix, from which a network's config is derived if the file has none.
class FilePart {
 public:
  FilePart(const TensorFile& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  bool has(const std::string& key) const { return file_.contains(prefix_ + key); }
  std::vector<std::int64_t> shape(const std::string& key) const {
    if (!has(key)) throw std::runtime_error("no \"" + prefix_ + key + "\" in it");
    return file_.shape(prefix_ + key);
  }
  std::int64_t size(const std::string& key, std::size_t dimension) const {
    const auto shape = this->shape(key);
    if (dimension >= shape.size()) throw std::runtime_error("\"" + prefix_ + key + "\" has too few dimensions");
    return shape[dimension];
  }
  /// Number of consecutive keys start0end, start1end, ...
  std::int64_t count(const std::string& start, const std::string& end) const {
    std::int64_t count = 0;
    while (has(start + std::to_string(count) + end)) ++count;
    return count;
  }

 private:
  const TensorFile& file_;
  std::string prefix_;
};

}  // namespace sfumato
