#pragma once

#include <string>
#include <string_view>

#include "images/png.h"

namespace sfumato {

/// EXIF data (a big-endian TIFF) with the text `parameters` as UserComment in UTF-16, as AUTOMATIC1111's web UI writes
/// it into JPEG and WebP files, and each other text as "KEYWORD\0TEXT" in MakerNote. Texts are UTF-8.
std::string make_exif(const TextChunks& texts);

/// The inverse: `parameters` of UserComment (UTF-16 of either byte order, ASCII or UTF-8) and what make_exif put into
/// MakerNote. Nothing where `exif` is damaged or has none.
TextChunks exif_texts(std::string_view exif);

}  // namespace sfumato
