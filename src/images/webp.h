#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace sfumato {

/// True if the bytes begin as a WebP file does.
bool is_webp(std::string_view bytes);

/// Content of the first chunk `kind` (four letters) of a WebP file; empty if there is none.
std::string_view webp_chunk(std::string_view bytes, std::string_view kind);

/// First frame of an animated WebP.
struct WebpFrame {
  std::string file{};                  ///< as a WebP file without animation
  std::int64_t width = 0, height = 0;  ///< of the whole canvas
  std::int64_t left = 0, top = 0;      ///< of the frame on it
};

/// Returns the first frame; its `file` is empty if the WebP is not animated or is damaged.
WebpFrame first_webp_frame(std::string_view bytes);

}  // namespace sfumato
