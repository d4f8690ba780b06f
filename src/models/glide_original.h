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
/// upsample-inpaint.pt), as the configs and weights of two classes.
struct GLIDEOriginal {
  UNet2DConditionModelConfig unet;
  GLIDETextModelConfig text;
  NamedWeights unet_weights, text_weights;

  /// The place in the cascade, by the number of the UNet's input channels.
  bool is_upsampler() const;
  bool is_inpainting() const;
};

/// Reads configs from keys and shapes. Two values are in no key: the channels of a head, 64 in all released files, and
/// the side of an image, which the levels of the UNet halve down to 8 pixels. Weights keep their dtype. Throws
/// std::runtime_error naming the key that is missing, unexpected or of another size.
GLIDEOriginal read_glide_original(const TensorFile& file, std::int64_t head_channels = kOriginalHeadWidth);

/// True for a file that holds a network of GLIDE in this layout.
bool is_glide_original(const TensorFile& file);

}  // namespace sfumato
