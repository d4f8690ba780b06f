#include "checkpoints/torch_records.h"

#include "checkpoints/mapped_file.h"
#include "checkpoints/torch_archive.h"
#include "checkpoints/torch_stream.h"

namespace sfumato {

bool is_torch_archive(std::string_view begin) {
  return begin.starts_with("PK\x03\x04");
}

bool is_torch_stream(std::string_view begin) {
  return begin.starts_with('\x80');
}

std::unique_ptr<TorchRecords> open_torch_records(const std::filesystem::path& path) {
  if (is_torch_stream(MappedFile(path).bytes())) return std::make_unique<TorchStream>(path);
  return std::make_unique<TorchArchive>(path);
}

}  // namespace sfumato
