#pragma once

#include <filesystem>

#include "data/image_set.h"

namespace sfumato {

/// Row "mnist": a folder of train-images-idx3-ubyte, train-labels-idx1-ubyte and the held-out t10k-images-idx3-ubyte,
/// t10k-labels-idx1-ubyte (MNIST, Fashion-MNIST and others of that format, decompressed).
ImageSetFormat mnist_format();

/// Reads an idx file of bytes as uint8 of its shape. Throws std::runtime_error naming the path and the fault.
torch::Tensor read_idx(const std::filesystem::path& path);

}  // namespace sfumato
