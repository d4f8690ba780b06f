#pragma once

#include <caffe2/serialize/inline_container.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>

namespace sfumato {

/// Opcodes of a pickle as torch.save writes it (protocol 2), assembled by hand; pickletools.dis lists them.
namespace pickled {

template <class T>
std::string bytes_of(T number) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &number, sizeof(T));
  return bytes;
}

inline std::string text(const std::string& value) {
  return "X" + bytes_of(static_cast<std::uint32_t>(value.size())) + value;
}

inline std::string number(std::int32_t value) {
  return "J" + bytes_of(value);
}

/// An integer of more than 32 bits.
inline std::string long_number(std::int64_t value) {
  return std::string("\x8a\x08") + bytes_of(value);
}

inline std::string tuple(const std::string& items) {
  return "(" + items + "t";
}

inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}

inline std::string storage(const std::string& key, const std::string& size, const std::string& type = "FloatStorage") {
  return tuple(text("storage") + global("torch", type) + text(key) + text("cpu") + size) + "Q";
}

/// shape and strides are tuples.
inline std::string tensor(const std::string& storage, const std::string& offset, const std::string& shape,
                          const std::string& strides) {
  return global("torch._utils", "_rebuild_tensor_v2") +
         tuple(storage + offset + shape + strides + "\x89" + global("collections", "OrderedDict") + ")R") + "R";
}

/// A dictionary of items, key and value one after the other, as a whole pickle.
inline std::string program(const std::string& items) {
  return "\x80\x02}(" + items + "u.";
}

}  // namespace pickled

/// Writes a zip archive as torch.save does: the pickle, and records of numbers by their keys.
inline void write_torch_save(const std::filesystem::path& path, const std::string& pickle,
                             const std::map<std::string, std::string>& storages, bool compress = false) {
  caffe2::serialize::PyTorchStreamWriter writer(path.string());
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  for (const auto& [key, bytes] : storages) writer.writeRecord("data/" + key, bytes.data(), bytes.size(), compress);
  writer.writeEndOfFile();
}

}  // namespace sfumato
