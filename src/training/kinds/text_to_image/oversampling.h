#pragma once

#include <torch/torch.h>

#include "data/pack.h"
#include "training/kinds/text_to_image/text_to_image_recipe.h"

namespace sfumato {

/// Returns the indices of a pack's training images, int64 [M] on the CPU: all that are not held out, where images with
/// one of `oversampling`'s words in their caption are oversampled, `oversampling.repeats` times. ASCII letters match in
/// either case; any other character than a letter or digit separates words.
torch::Tensor oversampled_examples(const Pack& pack, const OversamplingRecipe& oversampling);

/// True if `oversampling` names words, of which no training image has one in its caption.
bool has_no_effect(const OversamplingRecipe& oversampling, const Pack& pack);

}  // namespace sfumato
