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
  /// The last frame's, before the animation starts again.
  std::int64_t last_frame_ms = 1500;
};

/// Throws std::invalid_argument, naming what is written, unless the name ends in .gif, .webp or .mp4.
void check_animation_name(const std::filesystem::path& path);

/// Writes frames, uint8 [H, W, 3] of one size, atomically: a GIF (a palette of 256 colours a frame), an animated WebP,
/// both repeated for ever, or an MP4 (H.264), by the name's extension. Throws std::runtime_error naming `path` where
/// the format cannot hold the frames or its encoder fails.
void write_animation(const std::filesystem::path& path, const std::vector<torch::Tensor>& frames,
                     const AnimationTiming& timing = {});

}  // namespace sfumato
