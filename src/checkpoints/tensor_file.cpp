#include "checkpoints/tensor_file.h"

#include <stdexcept>

#include "checkpoints/mapped_file.h"
#include "checkpoints/pickle_file.h"
#include "checkpoints/safetensors.h"

namespace sfumato {

std::unique_ptr<TensorFile> open_tensors(const std::filesystem::path& path) {
  constexpr std::size_t kHeader = 8;  // of safetensors: a length, which may look like anything
  const auto begin = std::string(MappedFile(path).bytes().substr(0, kHeader + 1));
  const bool is_safetensors = begin.size() > kHeader && begin[kHeader] == '{';
  if (!is_safetensors && begin.starts_with("PK\x03\x04")) return std::make_unique<PickleFile>(path);
  if (!is_safetensors && begin.starts_with('\x80'))
    throw std::runtime_error("'" + path.string() +
                             "' is a pickle as PyTorch wrote it before 1.6: expected a safetensors file or a zip "
                             "archive of torch.save");
  return std::make_unique<SafetensorsFile>(path);
}

}  // namespace sfumato
