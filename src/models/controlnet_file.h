#pragma once

#include <string>

#include "checkpoints/load.h"
#include "checkpoints/tensor_file.h"
#include "models/controlnet_model.h"

namespace sfumato {

/// A ControlNet of one file without config.json, read from its keys and shapes.
struct ControlNetFile {
  ControlNetModelConfig config;
  /// The file's keys in diffusers' names.
  KeyNames names;
};

/// The key of a file that holds what training added to the UNet's weights in place of the weights themselves.
inline constexpr const char* kControlNetDifference = "difference";

/// In the original layout (lllyasviel's: input_hint_block., zero_convs., input_blocks., middle_block_out., all under
/// control_model. or under nothing) or in diffusers' names. What no key tells is as in Stable Diffusion 1, 2 and XL.
/// Beside them the file may hold a whole checkpoint and kControlNetDifference, which are no weights of the ControlNet.
/// Throws std::runtime_error that says what the file lacks where it is neither.
ControlNetFile read_controlnet_file(const TensorFile& file);

/// The key of the original layout for a parameter, by its name in diffusers, without control_model.
std::string original_controlnet_key(const std::string& name, const ControlNetModelConfig& config);

}  // namespace sfumato
