#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "images/animation.h"

namespace sfumato {

/// Encode frames as the bytes of a GIF89a or of a WebP. Throw std::runtime_error.
std::string encode_animated_gif(const std::vector<torch::Tensor>& frames, const AnimationTiming& timing);
std::string encode_animated_webp(const std::vector<torch::Tensor>& frames, const AnimationTiming& timing);

/// Writes an MP4 to `path`, not atomically. A side of odd length loses its last row or column, which H.264 cannot have.
/// Throws std::runtime_error.
void write_mp4(const std::filesystem::path& path, const std::vector<torch::Tensor>& frames,
               const AnimationTiming& timing);

/// True if a file's boxes (ISO/IEC 14496-12) fill it exactly and one is the index of the frames (moov): OpenCV does not
/// report that a disk is full.
bool is_whole_mp4(std::string_view bytes);

}  // namespace sfumato
