#include "checkpoints/tensor_file.h"

#include <stdexcept>

#include "checkpoints/file_kind.h"
#include "checkpoints/mapped_file.h"
#include "checkpoints/pickle_file.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/torch_records.h"

namespace sfumato {

std::unique_ptr<TensorFile> open_tensors(const std::filesystem::path& path) {
  const auto begin = std::string(MappedFile(path).bytes().substr(0, kFileKindBytes));
  if (const auto kind = file_kind(begin); !kind.empty())
    throw std::runtime_error("'" + path.string() + "' " + kind +
                             ": expected a safetensors file or one of torch.save (.ckpt, .pt, .bin)");
  constexpr std::size_t kHeader = 8;  // safetensors begin with a length, which can be any bytes
  const bool is_safetensors = begin.size() > kHeader && begin[kHeader] == '{';
  if (!is_safetensors && (is_torch_archive(begin) || is_torch_stream(begin))) return std::make_unique<PickleFile>(path);
  return std::make_unique<SafetensorsFile>(path);
}

}  // namespace sfumato
