#pragma once

#include <string_view>
#include <vector>

namespace sfumato {

/// Whether `bytes` start as a JPEG file does.
bool is_jpeg(std::string_view bytes);

/// Whether a JPEG's segments and scans run up to its end-of-image marker. libjpeg fills a truncated file's rest with
/// grey and only warns. Bytes between segments are skipped, as libjpeg skips them.
bool is_whole_jpeg(std::string_view bytes);

/// Contents of the APP1 segments, which hold EXIF and XMP, in their order.
std::vector<std::string_view> jpeg_app1_segments(std::string_view bytes);

}  // namespace sfumato
