#pragma once

#include <filesystem>
#include <memory>

#include "checkpoints/tensor_file.h"
#include "core/placement.h"
#include "models/autoencoder_tiny.h"

namespace sfumato {

/// True for a file of an AutoencoderTiny with diffusers' names, or of TAESD's decoder in its own layout.
bool is_tiny_file(const TensorFile& file);

/// Loads an AutoencoderTiny from such a file, in eval mode. TAESD's encoder is in a second file, whose name has
/// "encoder" in place of "decoder". Throws std::runtime_error naming the path.
std::shared_ptr<AutoencoderTinyImpl> load_tiny_file(const std::filesystem::path& path, const Placement& placement);

}  // namespace sfumato
