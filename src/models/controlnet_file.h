#pragma once

#include <string>

#include "checkpoints/load.h"
#include "checkpoints/tensor_file.h"
#include "models/controlnet_model.h"

namespace sfumato {

/// A ControlNet in one file without config.json, recognised from its keys and shapes.
struct ControlNetFile {
  ControlNetModelConfig config;
  /// Maps the file's keys to diffusers' names.
  KeyNames names;
};

/// Key that marks a file of differences from the UNet's weights instead of the weights themselves.
inline constexpr const char* kControlNetDifference = "difference";

/// Reads a file in the original layout (lllyasviel's: input_hint_block., zero_convs., input_blocks., middle_block_out.,
/// with or without the prefix control_model.) or with diffusers' names. Values that the keys do not determine are those
/// of Stable Diffusion 1, 2 and XL. The file may also hold a whole checkpoint and kControlNetDifference, which are
/// ignored. Throws std::runtime_error naming the missing keys if it is neither.
ControlNetFile read_controlnet_file(const TensorFile& file);

/// Returns the key of the original layout for a parameter's name in diffusers, without control_model.
std::string original_controlnet_key(const std::string& name, const ControlNetModelConfig& config);

}  // namespace sfumato
