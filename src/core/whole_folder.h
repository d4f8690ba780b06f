#pragma once

#include <filesystem>
#include <functional>

namespace sfumato {

/// Calls `write` with a temporary folder, which replaces `folder` once it is complete. If `write` returns false
/// or throws, so does this function, and `folder` stays as it was. A std::system_error names the place in `folder` in
/// place of the temporary one.
bool write_whole_folder(const std::filesystem::path& folder,
                        const std::function<bool(const std::filesystem::path&)>& write);

/// The same, but moves what it wrote into `folder`, file by file: files of other names stay there.
bool write_into_folder(const std::filesystem::path& folder,
                       const std::function<bool(const std::filesystem::path&)>& write);

}  // namespace sfumato
