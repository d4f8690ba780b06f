#pragma once

#include <torch/torch.h>

#include <string>

#include "core/random.h"
#include "diffusion/condition.h"
#include "diffusion/denoiser.h"
#include "systems/glide/model.h"
#include "systems/glide/request.h"

namespace sfumato {

/// A text as a stage's UNet receives it: one row of encoder_hidden_states.
Condition encode_text(const GLIDE& model, const GLIDEStage& stage, const std::string& text);

/// Inputs of a stage besides x and the text, on the model's device; undefined where it has none.
struct GLIDEInputs {
  torch::Tensor low_res;  ///< the base model's x [N, C, h', w'], which the upsampler enlarges
  torch::Tensor known;    ///< the image [1, C, h, w] that is inpainted
  torch::Tensor mask;     ///< [1, 1, h, w]: 1 where the image is known, 0 where it is made anew

  /// The channels after those of x, for `count` images: the masked image, the mask, the enlarged image; undefined
  /// without any.
  torch::Tensor concat(const GLIDEStage& stage, std::int64_t count) const;
};

/// The UNet of a stage as a function of x, level and condition: encoder_hidden_states are attended to, and the last of
/// them is projected into the time embedding.
Backbone glide_backbone(const GLIDEStage& stage);

/// Guided denoiser of a stage for the request's images in `steps` steps. Where the image is known, x0 is the image. eps
/// is derived from the final x0, as in the released code: clipping changes it. Gradients are recorded unless the caller
/// forbids it. The model outlives the denoiser.
Denoiser glide_denoiser(const GLIDE& model, const GLIDEStage& stage, const GLIDEInputs& inputs,
                        const GLIDERequest& request, std::size_t steps);

/// x of the base model, [N, C, h, w] float32; undefined where on_step ended it. `on_step` counts the job's steps.
torch::Tensor sample_base(const GLIDE& model, const GLIDEJob& job, const GLIDEInputs& inputs, NoiseSource& noise,
                          const OnStep& on_step);

/// x of the upsampler, likewise; `inputs` have the base model's x as low_res, which is rounded to the 8 bits of an
/// image file where it is of pixels, as in training.
torch::Tensor sample_upsampler(const GLIDE& model, const GLIDEJob& job, GLIDEInputs inputs, NoiseSource& noise,
                               const OnStep& on_step);

}  // namespace sfumato
