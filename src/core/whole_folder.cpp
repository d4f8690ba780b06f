#include "core/whole_folder.h"

#include <string>
#include <system_error>

#include "core/temporary_name.h"

namespace sfumato {

namespace fs = std::filesystem;

namespace {

/// Returns the path without a slash at its end.
fs::path without_slash(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

std::string without_suffix(const std::string& text, const std::string& suffix) {
  return text.ends_with(suffix) ? text.substr(0, text.size() - suffix.size()) : text;
}

/// Rethrows the current exception. One that names a place below `written` names that below `folder` instead: the user
/// does not know the temporary name.
[[noreturn]] void rethrow_with_name(const std::system_error& error, const fs::path& written, const fs::path& folder) {
  auto text = without_suffix(error.what(), ": " + error.code().message());
  if (const auto* of_path = dynamic_cast<const fs::filesystem_error*>(&error))
    text = "cannot write '" + of_path->path1().string() + "'";
  const auto at = text.find(written.string());
  if (at == std::string::npos) throw;
  text.replace(at, written.string().size(), without_slash(folder).string());
  throw std::system_error(error.code(), text);
}

/// Calls `write` with a temporary folder next to `folder`, then `finish` with the same if that returned true.
bool write_temporary(const fs::path& folder, const std::function<bool(const fs::path&)>& write,
                     const std::function<void(const fs::path&)>& finish) {
  const auto written = temporary_name(without_slash(folder));
  std::error_code ignored;
  try {
    const bool whole = write(written);
    if (whole) finish(written);
    fs::remove_all(written);
    return whole;
  } catch (const std::system_error& error) {
    fs::remove_all(written, ignored);
    rethrow_with_name(error, written, folder);
  } catch (...) {
    fs::remove_all(written, ignored);
    throw;
  }
}

}  // namespace

bool write_whole_folder(const fs::path& folder, const std::function<bool(const fs::path&)>& write) {
  return write_temporary(folder, write, [&](const fs::path& written) {
    fs::remove_all(folder);
    fs::rename(written, without_slash(folder));
  });
}

bool write_into_folder(const fs::path& folder, const std::function<bool(const fs::path&)>& write) {
  return write_temporary(folder, write, [&](const fs::path& written) {
    for (const auto& entry : fs::recursive_directory_iterator(written)) {
      const auto target = folder / fs::relative(entry.path(), written);
      fs::create_directories(entry.is_directory() ? target : target.parent_path());
      if (!entry.is_directory()) fs::rename(entry.path(), target);
    }
  });
}

}  // namespace sfumato
