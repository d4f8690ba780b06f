#pragma once

#include <torch/torch.h>

#include <string_view>

namespace sfumato {

/// True if the bytes begin as a GIF file does.
bool is_gif(std::string_view bytes);

/// Decodes the first frame of a GIF (GIF89a specification) on its whole screen to float32 RGBA [H, W, 4] in [0, 1].
/// Parts that the frame does not cover are transparent. Throws std::runtime_error for a damaged file.
torch::Tensor decode_gif(std::string_view bytes);

}  // namespace sfumato
