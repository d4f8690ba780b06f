#pragma once

#include <torch/torch.h>

#include "data/pack.h"
#include "training/kinds/text_to_image/text_to_image_recipe.h"

namespace sfumato {

/// The pictures of a pack that are trained on, int64 [M] on the CPU: all that are not held out and, `emphasis.repeats`
/// times, those whose caption has one of its words. Letters of ASCII match in either case; what is neither letter nor
/// digit parts words.
torch::Tensor emphasised_examples(const Pack& pack, const EmphasisRecipe& emphasis);

}  // namespace sfumato
