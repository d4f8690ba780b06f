#include "engine/model_choice.h"

#include <cstdint>

#include "core/cuda.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Size in bytes of a file, or of the files in a folder and its subfolders.
std::uintmax_t size_of(const fs::path& path) {
  if (!fs::is_directory(path)) return fs::file_size(path);
  std::uintmax_t size = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file()) size += entry.file_size();
  return size;
}

}  // namespace

Placement choose_placement(const std::string& device, const std::string& dtype, bool tf32,
                           std::vector<std::string>& warnings) {
  const auto placement = parse_placement(device, dtype);
  if (placement.device.is_cuda())
    allow_tf32(tf32);
  else if (tf32)
    warnings.push_back("--tf32 has no effect on " + placement.device.str());
  if (auto note = slow_dtype_note(placement); !note.empty()) warnings.push_back(std::move(note));
  return placement;
}

bool prefers_bfloat16(const fs::path& model, torch::Device device, bool amx) {
  constexpr std::uintmax_t kLarge = std::uintmax_t{256} << 20;
  return amx && device.is_cpu() && size_of(model) >= kLarge;
}

}  // namespace sfumato
