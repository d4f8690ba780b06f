#pragma once

#include <torch/torch.h>

#include <string_view>

namespace sfumato {

/// Whether the bytes begin as a GIF file does.
bool is_gif(std::string_view bytes);

/// First frame of a GIF (GIF89a specification) on its whole screen as float32 RGBA [H, W, 4] in [0, 1]; transparent
/// where the frame is transparent or leaves the screen open. Throws std::runtime_error where the file is damaged.
torch::Tensor decode_gif(std::string_view bytes);

}  // namespace sfumato
