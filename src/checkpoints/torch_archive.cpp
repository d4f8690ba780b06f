#include "checkpoints/torch_archive.h"

#include <c10/util/Exception.h>
#include <caffe2/serialize/inline_container.h>

#include <cstring>
#include <stdexcept>

#include "checkpoints/safetensors_header.h"

namespace sfumato {
namespace {

/// True if the record after this local file header (PKWARE's APPNOTE, 4.3.7) is stored uncompressed.
bool is_stored(std::string_view file, std::uint64_t header) {
  constexpr std::uint64_t kHeaderSize = 30, kMethod = 8;
  if (header > file.size() || file.size() - header < kHeaderSize) return false;
  std::uint16_t method = 0;
  std::memcpy(&method, file.data() + header + kMethod, sizeof(method));
  return method == 0;
}

[[noreturn]] void refuse_archive(const std::filesystem::path& path, const std::string& why) {
  throw std::runtime_error("'" + path.string() + "' is not a file of torch.save: " + why);
}

}  // namespace

TorchArchive::TorchArchive(const std::filesystem::path& path) : map_(path) {
  try {
    find_records(path);
  } catch (const c10::Error& error) {
    const std::string why = error.what_without_backtrace();
    refuse_archive(path, why.substr(0, why.find('\n')));
  }
  if (records_.contains("byteorder") && record("byteorder") != "little")
    refuse_archive(path, "its numbers are not little-endian");
  read_pickle(path);
}

void TorchArchive::read_pickle(const std::filesystem::path& path) {
  try {
    if (!records_.contains("data.pkl")) throw std::runtime_error("no record \"data.pkl\" in it");
    auto bytes = record("data.pkl");
    pickle_ = take_pickle(bytes);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("'" + path.string() + "': " + error.what());
  }
}

void TorchArchive::find_records(const std::filesystem::path& path) {
  caffe2::serialize::PyTorchStreamReader reader(path.string());
  const auto file = map_.bytes();
  for (const auto& name : reader.getAllRecords()) {
    const Range range{reader.getRecordOffset(name), reader.getRecordSize(name)};
    if (!is_stored(file, reader.getRecordHeaderOffset(name)))
      refuse_archive(path, "record " + in_quotes(name) + " is compressed");
    if (range.begin > file.size() || range.size > file.size() - range.begin)
      refuse_archive(path, "record " + in_quotes(name) + " runs past the end of the file");
    records_[name] = range;
  }
}

std::string_view TorchArchive::record(const std::string& name) const {
  const auto& range = records_.at(name);
  return map_.bytes().substr(range.begin, range.size);
}

void TorchArchive::release(const std::string& key) const {
  const auto& range = records_.at("data/" + key);
  map_.release(range.begin, range.size);
}

}  // namespace sfumato
