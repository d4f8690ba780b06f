#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "training/kinds/glide/glide_recipe.h"

namespace sfumato {

/// Returns x0 [N, C, h, w] in [-1, 1] at `side` pixels, rounded to 8 bits as the base model's images are: [N, C, side,
/// side].
torch::Tensor at_low_resolution(const torch::Tensor& x0, std::int64_t side);

/// Degrades images at low resolution, so that an upsampler gets used to the flaws of a base model's images (Ho et al.
/// 2022, Cascaded Diffusion Models, section 4): each is blurred with the probability and a random standard deviation
/// of the recipe, and gets noise of a standard deviation between 0 and low_res_noise. Returns [N, C, h, w]. Random
/// values come from `generator`, of the CPU; none is drawn for a part that is switched off.
torch::Tensor augmented(torch::Tensor images, const LowResAugmentation& augmentation, at::Generator& generator);

}  // namespace sfumato
