#pragma once

#include <string_view>
#include <vector>

namespace sfumato {

/// True if `bytes` start as a JPEG file does.
bool is_jpeg(std::string_view bytes);

/// True if a JPEG's segments and scans run up to its end-of-image marker. libjpeg fills the rest of a truncated file
/// with grey and only warns. Bytes between segments are skipped, as libjpeg skips them.
bool is_whole_jpeg(std::string_view bytes);

/// Returns the contents of the APP1 segments, which hold EXIF and XMP, in their order.
std::vector<std::string_view> jpeg_app1_segments(std::string_view bytes);

}  // namespace sfumato
