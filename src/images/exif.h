#pragma once

#include <string_view>

namespace sfumato {

/// Whether the bytes begin as a WebP file does.
bool is_webp(std::string_view bytes);

/// How the stored picture of a PNG or WebP file is to be turned (EXIF's tag Orientation): 1, as it is, to 8. 1 where
/// the file says nothing, or nothing that can be read.
int exif_orientation(std::string_view bytes);

}  // namespace sfumato
