#include "core/files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <stdexcept>
#include <system_error>

#include "core/temporary_name.h"

namespace sfumato {
namespace {

/// Files that are read whole are images, texts and configs; a larger one is something like /dev/zero.
constexpr std::size_t kLargestRead = std::size_t{1} << 30;

[[noreturn]] void fail_to_read(const std::filesystem::path& path, int error) {
  throw std::runtime_error("cannot read '" + path.string() + "': " + std::strerror(error));
}

[[noreturn]] void fail(const std::string& what, const std::filesystem::path& path, int error) {
  throw std::system_error(error, std::generic_category(), what + " '" + path.string() + "'");
}

/// Messages name `path`.
void flush_to_disk(const std::filesystem::path& temporary, const std::filesystem::path& path) {
  const int file = ::open(temporary.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("cannot write", path, errno);
  const int result = ::fsync(file);
  const int error = errno;
  ::close(file);
  if (result != 0) fail("cannot write", path, error);
}

/// Stops at the first failure of the stream, while errno still holds the reason. Messages name `path`.
void write_file(const std::filesystem::path& temporary, const std::filesystem::path& path,
                const std::function<void(std::ostream&)>& write) {
  errno = 0;
  std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
  if (!out) fail("cannot write", path, errno);
  out.exceptions(std::ios::badbit);
  try {
    write(out);
    out.exceptions(std::ios::goodbit);
    out.close();
  } catch (const std::ios_base::failure&) {
    fail("cannot write", path, errno != 0 ? errno : EIO);
  }
  if (!out) fail("cannot write", path, errno != 0 ? errno : EIO);
}

void make_parent(const std::filesystem::path& path) {
  if (!path.has_parent_path()) return;
  std::error_code error;
  std::filesystem::create_directories(path.parent_path(), error);
  if (error) fail("cannot make folder", path.parent_path(), error.value());
}

}  // namespace

std::string read_file(const std::filesystem::path& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) fail_to_read(path, errno);
  if (std::filesystem::is_directory(path)) fail_to_read(path, EISDIR);
  std::string bytes;
  std::array<char, 65536> block{};
  do {
    in.read(block.data(), block.size());
    bytes.append(block.data(), static_cast<std::size_t>(in.gcount()));
    if (bytes.size() > kLargestRead) fail_to_read(path, EFBIG);
  } while (in);
  if (in.bad()) fail_to_read(path, errno);
  return bytes;
}

void write_file_atomically(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write) {
  make_parent(path);
  const auto temporary = temporary_name(path);
  try {
    write_file(temporary, path, write);
    flush_to_disk(temporary, path);
    std::error_code error;
    std::filesystem::rename(temporary, path, error);
    if (error) fail("cannot write", path, error.value());
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
}

std::int64_t parse_byte_size(const std::string& option, const std::string& text) {
  static const std::map<std::string, std::int64_t> units{
      {"", 1}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}};
  const auto digits = text.find_first_not_of("0123456789");
  const auto unit = units.find(digits == std::string::npos ? "" : text.substr(digits));
  if (unit == units.end() || digits == 0 || text.empty() || text.size() > 15) {
    throw std::invalid_argument(option + " '" + text + "': expected a size such as 16MiB");
  }
  return std::stoll(text) * unit->second;
}

void copy_whole_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  const auto bytes = read_file(from);
  write_file_atomically(to, [&](std::ostream& out) { out << bytes; });
}

void copy_tokenizer_files(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::filesystem::create_directories(to);
  for (const auto& entry : std::filesystem::directory_iterator(from))
    if (const auto kind = entry.path().extension(); kind == ".json" || kind == ".txt" || kind == ".model")
      copy_whole_file(entry.path(), to / entry.path().filename());
}

}  // namespace sfumato
