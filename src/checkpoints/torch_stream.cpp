#include "checkpoints/torch_stream.h"

#include <c10/core/ScalarType.h>

#include <cstring>
#include <stdexcept>

#include "checkpoints/safetensors_header.h"

namespace sfumato {
namespace {

constexpr std::int64_t kStreamVersion = 1001;

/// torch.serialization.MAGIC_NUMBER, 0x1950a86a20f9469cfc6c, as a pickle stores it.
constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);

void take_magic(std::string_view& bytes) {
  const auto begin = bytes;
  take_pickle(bytes);
  if (begin.substr(0, begin.size() - bytes.size()).find(kMagic) == std::string_view::npos)
    throw std::runtime_error("it is a pickle, but not one of torch.save");
}

void take_version(std::string_view& bytes) {
  const auto pickle = take_pickle(bytes);
  const auto* version = std::get_if<std::int64_t>(&pickle.root->value);
  if (version == nullptr || *version != kStreamVersion)
    throw std::runtime_error("its format's version is not " + std::to_string(kStreamVersion));
}

void take_machine(std::string_view& bytes) {
  const auto pickle = take_pickle(bytes);
  const auto* dict = std::get_if<PickleDict>(&pickle.root->value);
  if (dict == nullptr) throw std::runtime_error("it lacks the sizes of the machine's integers");
  for (const auto& [key, value] : *dict) {
    const auto* name = std::get_if<std::string>(&key->value);
    const auto* flag = std::get_if<bool>(&value->value);
    if (name != nullptr && *name == "little_endian" && (flag == nullptr || !*flag))
      throw std::runtime_error("its numbers are not little-endian");
  }
}

/// Returns the storages that a pickle refers to, by their keys.
std::unordered_map<std::string, PickleStorage> storages_in(const Pickle& pickle) {
  std::unordered_map<std::string, PickleStorage> storages;
  for (const auto& value : pickle.values)
    if (const auto* storage = std::get_if<PickleStorage>(&value.value)) storages.emplace(storage->key, *storage);
  return storages;
}

}  // namespace

TorchStream::TorchStream(const std::filesystem::path& path) : map_(path) {
  try {
    read();
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("'" + path.string() + "': " + error.what());
  }
}

void TorchStream::read() {
  auto bytes = map_.bytes();
  take_magic(bytes);
  take_version(bytes);
  take_machine(bytes);
  pickle_ = take_pickle(bytes);
  take_storages(bytes);
}

void TorchStream::take_storages(std::string_view& bytes) {
  const auto keys = take_pickle(bytes);
  const auto* list = std::get_if<PickleList>(&keys.root->value);
  if (list == nullptr) throw std::runtime_error("it lacks the list of its storages");
  const auto storages = storages_in(pickle_);
  for (const auto* value : *list) {
    const auto* key = std::get_if<std::string>(&value->value);
    const auto found = key == nullptr ? storages.end() : storages.find(*key);
    if (found == storages.end()) throw std::runtime_error("it has a storage that no tensor refers to");
    std::uint64_t count = 0;
    const auto size = c10::elementSize(found->second.dtype);
    if (bytes.size() >= sizeof(count)) std::memcpy(&count, bytes.data(), sizeof(count));
    if (bytes.size() < sizeof(count) || count > (bytes.size() - sizeof(count)) / size)
      throw std::runtime_error("storage " + in_quotes(*key) + " runs past the end of the file");
    storages_[*key] = bytes.substr(sizeof(count), count * size);
    bytes.remove_prefix(sizeof(count) + count * size);
  }
}

void TorchStream::release(const std::string& key) const {
  const auto bytes = storages_.at(key);
  map_.release(static_cast<std::size_t>(bytes.data() - map_.bytes().data()), bytes.size());
}

}  // namespace sfumato
