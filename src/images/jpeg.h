#pragma once

#include <string_view>

namespace sfumato {

/// Whether `bytes` start as a JPEG file does.
bool is_jpeg(std::string_view bytes);

/// Whether a JPEG's segments and scans run up to its end-of-image marker. libjpeg fills a truncated file's rest with
/// grey and only warns.
bool is_whole_jpeg(std::string_view bytes);

}  // namespace sfumato
