#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sfumato {

/// One tensor of a safetensors header.
struct SafetensorsEntry {
  torch::Dtype dtype = torch::kFloat32;
  std::vector<std::int64_t> shape;
  std::uint64_t begin = 0;  ///< First byte, counted from the end of the header.
  std::uint64_t end = 0;    ///< One past the last byte.
};

struct SafetensorsHeader {
  std::vector<std::string> names;  ///< In the order of the file.
  std::unordered_map<std::string, SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata;
  std::uint64_t data_begin = 0;  ///< Offset of the tensors' bytes in the file.
};

/// Reads and checks the header of a safetensors file, given all of its bytes: lengths, JSON (duplicate keys are
/// refused), dtypes, shapes, and that the tensors' ranges cover the rest of the file without overlap or gap.
/// Throws std::runtime_error, one line naming the path, the tensor and the values.
SafetensorsHeader parse_safetensors_header(std::string_view file, const std::filesystem::path& path);

/// Formats a name from a file for an error message: in quotes, control characters escaped, truncated when very long.
std::string in_quotes(const std::string& name);

}  // namespace sfumato
