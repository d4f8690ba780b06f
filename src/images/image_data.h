#pragma once

#include <torch/torch.h>

#include <string>

namespace sfumato {

/// Returns the text that AUTOMATIC1111's web UI stores in the pixels of an embedding's image, uint8 [H, W, 3]: a block
/// at the left holds the low four bits of zlib's bytes, one at the right the high four bits. Both are xored with
/// numbers of a congruential generator; black columns separate them from the image. Returns "" if there are no such
/// blocks. Throws std::runtime_error if their data are damaged or longer than 64 MiB.
std::string text_in_pixels(const torch::Tensor& pixels);

}  // namespace sfumato
