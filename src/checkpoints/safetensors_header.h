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
  std::uint64_t data_begin = 0;  ///< Where the tensors' bytes start in the file.
};

/// Reads and checks the header of a safetensors file, given all of its bytes: lengths, JSON (a key that comes twice
/// is refused), dtypes, shapes, and that the tensors' ranges cover the rest of the file without overlap or gap.
/// Throws std::runtime_error, one line naming the path, the tensor and the values.
SafetensorsHeader parse_safetensors_header(std::string_view file, const std::filesystem::path& path);

/// A name from a file as an error message shows it: in quotes, control characters escaped, cut when very long.
std::string in_quotes(const std::string& name);

}  // namespace sfumato
