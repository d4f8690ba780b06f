#include "core/writable.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <string>

#include "core/temporary_name.h"

namespace sfumato {
namespace {

using std::filesystem::path;

[[noreturn]] void refuse_output(const path& output, const std::string& why) {
  throw std::invalid_argument("output '" + output.string() + "': " + why);
}

/// `folder`, or the nearest folder above it that exists.
path nearest_existing_folder(const path& folder) {
  auto found = std::filesystem::absolute(folder);
  std::error_code error;
  while (!std::filesystem::exists(found, error) && found.has_relative_path()) found = found.parent_path();
  return found;
}

/// Attempts to write a file `name` in `folder`: access() is no answer for root and for read-only file systems. The
/// attempt has the name under which a file is written, which may be shorter than `name`.
void try_to_write(const path& output, const path& folder, const std::string& name) {
  if (!std::filesystem::is_directory(folder)) refuse_output(output, "'" + folder.string() + "' is no folder");
  std::error_code of_name;
  if (!std::filesystem::exists(folder / name, of_name) && of_name == std::errc::filename_too_long)
    refuse_output(output, "cannot be written: " + of_name.message());
  const auto probe = temporary_name(folder / name);
  errno = 0;
  const bool written = std::ofstream(probe).is_open();
  const int error = errno;
  std::error_code ignored;
  std::filesystem::remove(probe, ignored);
  if (!written) refuse_output(output, std::string("cannot be written: ") + std::strerror(error));
}

}  // namespace

void check_writable(const path& output, bool force) {
  std::error_code error;  // a name that is too long is found by try_to_write
  const auto status = std::filesystem::status(output, error);
  if (std::filesystem::is_directory(status)) refuse_output(output, "is a folder");
  if (std::filesystem::exists(status)) {
    if (!std::filesystem::is_regular_file(status)) refuse_output(output, "is no regular file");
    if (!force) refuse_output(output, "exists already (--force overwrites it)");
  }
  try_to_write(output, nearest_existing_folder(std::filesystem::absolute(output).parent_path()),
               output.filename().string());
}

void check_writable_folder(const path& folder) {
  try_to_write(folder, nearest_existing_folder(folder), "file");
}

}  // namespace sfumato
