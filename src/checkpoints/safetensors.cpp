#include "checkpoints/safetensors.h"

#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "checkpoints/mapped_file.h"
#include "checkpoints/safetensors_header.h"

namespace sfumato {

struct SafetensorsFile::Impl {
  explicit Impl(const std::filesystem::path& path)
      : path(path), map(path), header(parse_safetensors_header(map.bytes(), path)) {}

  const SafetensorsEntry& entry(const std::string& name) const {
    const auto found = header.entries.find(name);
    if (found == header.entries.end())
      throw std::out_of_range("'" + path.string() + "' has no tensor " + in_quotes(name));
    return found->second;
  }

  std::filesystem::path path;
  MappedFile map;
  SafetensorsHeader header;
};

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : impl_(std::make_shared<const Impl>(path)) {}
SafetensorsFile::~SafetensorsFile() = default;
SafetensorsFile::SafetensorsFile(SafetensorsFile&&) noexcept = default;
SafetensorsFile& SafetensorsFile::operator=(SafetensorsFile&&) noexcept = default;

const std::vector<std::string>& SafetensorsFile::names() const {
  return impl_->header.names;
}
bool SafetensorsFile::contains(const std::string& name) const {
  return impl_->header.entries.contains(name);
}
std::vector<std::int64_t> SafetensorsFile::shape(const std::string& name) const {
  return impl_->entry(name).shape;
}
torch::Dtype SafetensorsFile::dtype(const std::string& name) const {
  return impl_->entry(name).dtype;
}
const std::map<std::string, std::string>& SafetensorsFile::metadata() const {
  return impl_->header.metadata;
}

torch::Tensor SafetensorsFile::tensor(const std::string& name) const {
  const auto& entry = impl_->entry(name);
  // from_blob takes writable memory; the map is PROT_READ, so a write to the view stops the program.
  auto* data = const_cast<char*>(impl_->map.bytes().data()) + impl_->header.data_begin + entry.begin;
  const auto keep_mapped = [impl = impl_](void*) {};
  if (entry.dtype == torch::kBool) return torch::from_blob(data, entry.shape, keep_mapped, torch::kUInt8).ne(0);
  if (reinterpret_cast<std::uintptr_t>(data) % c10::elementSize(entry.dtype) == 0)
    return torch::from_blob(data, entry.shape, keep_mapped, entry.dtype);
  auto copy = torch::empty(entry.shape, entry.dtype);
  std::memcpy(copy.data_ptr(), data, entry.end - entry.begin);
  return copy;
}

void SafetensorsFile::release(const std::string& name) const {
  const auto& entry = impl_->entry(name);
  impl_->map.release(impl_->header.data_begin + entry.begin, entry.end - entry.begin);
}

}  // namespace sfumato
