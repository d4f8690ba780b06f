#pragma once

#include <torch/torch.h>

#include <string>

namespace sfumato {

/// The text that AUTOMATIC1111's web UI keeps in the pixels of a picture of an embedding: uint8 [H, W, 3] with a block
/// of pixels at the left, whose low four bits are those of zlib's bytes, and one at the right for the high four bits,
/// both xored with numbers of a congruential generator; black columns part them from the picture. Returns "" where
/// there are no such blocks. Throws std::runtime_error where their data are damaged or longer than 64 MiB.
std::string text_in_pixels(const torch::Tensor& pixels);

}  // namespace sfumato
