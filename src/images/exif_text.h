#pragma once

#include <string>
#include <string_view>

#include "images/png.h"

namespace sfumato {

/// Returns EXIF data (a big-endian TIFF) with the text `parameters` as UserComment in UTF-16, as AUTOMATIC1111's web UI
/// writes it into JPEG and WebP files, and every other text as "KEYWORD\0TEXT" in MakerNote. Texts are UTF-8.
std::string make_exif(const TextChunks& texts);

/// The inverse of make_exif: `parameters` from UserComment (UTF-16 of either byte order, ASCII or UTF-8) and the texts
/// in MakerNote. Returns nothing if `exif` is damaged or has none.
TextChunks exif_texts(std::string_view exif);

}  // namespace sfumato
