#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace sfumato {

/// Durations of the frames.
struct AnimationTiming {
  std::int64_t frame_ms = 100;
  /// Duration of the last frame, before the animation starts again.
  std::int64_t last_frame_ms = 1500;
};

/// Throws std::invalid_argument, listing the formats, unless the name ends in .gif, .webp or .mp4.
void check_animation_name(const std::filesystem::path& path);

/// Writes frames, uint8 [H, W, 3] of one size, atomically: by the name's extension a GIF (a palette of 256 colours a
/// frame) or an animated WebP, both repeated for ever, or an MP4 (H.264). Throws std::runtime_error naming `path` if
/// the format cannot hold the frames or its encoder fails.
void write_animation(const std::filesystem::path& path, const std::vector<torch::Tensor>& frames,
                     const AnimationTiming& timing = {});

}  // namespace sfumato
