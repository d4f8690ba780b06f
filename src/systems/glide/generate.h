#pragma once

#include <torch/torch.h>

#include <cstdint>

#include "diffusion/denoiser.h"
#include "systems/glide/model.h"
#include "systems/glide/request.h"

namespace sfumato {

/// Images of both stages, [N, 3, H, W] float32 on the CPU, about in [-1, 1]; undefined if on_step ended the run.
struct GLIDEImages {
  torch::Tensor base = {};
  torch::Tensor upsampled = {};  ///< undefined without an upsampler

  /// Returns the images of the last stage.
  const torch::Tensor& result() const { return upsampled.defined() ? upsampled : base; }
};

/// Generates images from text (Nichol et al. 2021, section 2 and 4): the base model with classifier-free guidance, then
/// the upsampler. It receives the text and the base model's images, rounded to 8 bits in a model of pixels. Image k
/// draws all its noise from one generator of seed + k: the base model's, then the upsampler's. `on_step` counts the
/// steps of both.
GLIDEImages generate(const GLIDE& model, const GLIDEJob& job, const OnStep& on_step = {});

/// An image and its region to regenerate.
struct GLIDEMaskedImage {
  torch::Tensor image;  ///< [1, 3, S, S] in [-1, 1], of any size
  torch::Tensor mask;   ///< [1, 1, S, S] in [0, 1], above 0 in the region to regenerate
};

/// Inpaints the masked region from text (section 2.4 and the released code): both stages receive the rest and keep it,
/// at the model's own size. A pixel of the base model is regenerated if any image pixel under it is. Throws
/// std::invalid_argument for a model without the channels for it, for unequal or non-square sizes, and for a mask of
/// zeros.
GLIDEImages inpaint(const GLIDE& model, const GLIDEJob& job, const GLIDEMaskedImage& masked,
                    const OnStep& on_step = {});

}  // namespace sfumato
