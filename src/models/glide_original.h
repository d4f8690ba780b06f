#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "checkpoints/tensor_file.h"
#include "models/glide_text_model.h"
#include "models/original_layout.h"
#include "models/unet_2d_condition_config.h"

namespace sfumato {

/// A network of GLIDE in the layout of OpenAI's released files (base.pt, upsample.pt, base-inpaint.pt,
/// upsample-inpaint.pt), taken apart into what diffusers' classes hold.
struct GLIDEOriginal {
  UNet2DConditionModelConfig unet;
  GLIDETextModelConfig text;
  NamedWeights unet_weights, text_weights;

  /// What the UNet receives beside x, by its number of input channels.
  bool is_upsampler() const;
  bool is_inpainting() const;
};

/// Reads configs from keys and shapes. No key tells the width of a head, which is 64 in all released files, nor the
/// size of an image, which halves in each level down to 8 pixels a side. Weights keep their dtype. Throws
/// std::runtime_error that says what the file is, or lacks.
GLIDEOriginal read_glide_original(const TensorFile& file, std::int64_t head_channels = kOriginalHeadWidth);

/// True for a file that holds a network of GLIDE in this layout.
bool is_glide_original(const TensorFile& file);

}  // namespace sfumato
