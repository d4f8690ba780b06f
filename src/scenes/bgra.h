#pragma once

#include <opencv2/core.hpp>
#include <string_view>

namespace sfumato {

/// Decodes an image file of any depth and number of channels to 8-bit BGRA with straight alpha; empty if the bytes are
/// no readable image.
cv::Mat decode_bgra(std::string_view bytes);

}  // namespace sfumato
