#pragma once

#include <string_view>

namespace sfumato {

/// Returns EXIF's orientation of a PNG, WebP or JPEG file, 1 (as stored) to 8: from EXIF data or, without an
/// orientation there, from ImageMagick's raw profiles in a PNG and then from XMP (tiff:Orientation), as Pillow's
/// getexif reads them. Returns 1 if the file has none that can be read.
int exif_orientation(std::string_view bytes);

/// Returns SamplesPerPixel of a TIFF's first directory; 0 if it has none.
int tiff_samples(std::string_view bytes);

}  // namespace sfumato
