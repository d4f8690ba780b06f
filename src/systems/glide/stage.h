#pragma once

#include <torch/torch.h>

#include <optional>
#include <string>

#include "core/random.h"
#include "diffusion/condition.h"
#include "diffusion/denoiser.h"
#include "diffusion/gradient_guidance.h"
#include "systems/clip_guidance.h"
#include "systems/glide/model.h"
#include "systems/glide/request.h"

namespace sfumato {

/// Encodes a text for a stage's UNet: one row of encoder_hidden_states.
Condition encode_text(const GLIDE& model, const GLIDEStage& stage, const std::string& text);

/// Inputs of a stage besides x and the text, on the model's device; undefined if absent.
struct GLIDEInputs {
  torch::Tensor low_res;  ///< the base model's x [N, C, h', w'], enlarged by the upsampler
  torch::Tensor known;    ///< the image [1, C, h, w] to inpaint
  torch::Tensor mask;     ///< [1, 1, h, w]: 1 in the known region, 0 in the region to regenerate
  std::optional<GradientGuidance> gradient = {};  ///< guidance by CLIP

  /// Returns the channels after those of x, for `count` images: the masked image, the mask, the enlarged image;
  /// undefined without any.
  torch::Tensor concat(const GLIDEStage& stage, std::int64_t count) const;
};

/// Returns the UNet of a stage as a function of x, level and condition. It attends to encoder_hidden_states and maps
/// the last of them into the time embedding.
Backbone glide_backbone(const GLIDEStage& stage);

/// Returns the space of a stage's x, for guidance by CLIP. The model must outlive it.
GuidedSpace guided_space(const GLIDE& model, const GLIDEStage& stage);

/// Returns the guided denoiser of a stage for the request's images in `steps` steps. x0 is clipped, then moved by the
/// guidance of `inputs`, and in the known region it is the image. eps is derived from the final x0, as in the released
/// code: clipping changes it. Records gradients unless the caller disables them. The model must outlive the denoiser.
Denoiser glide_denoiser(const GLIDE& model, const GLIDEStage& stage, const GLIDEInputs& inputs,
                        const GLIDERequest& request, std::size_t steps);

/// Returns x of the base model, [N, C, h, w] float32; undefined if on_step ended it. `on_step` counts the job's steps.
torch::Tensor sample_base(const GLIDE& model, const GLIDEJob& job, GLIDEInputs inputs, NoiseSource& noise,
                          const OnStep& on_step);

/// Returns x of the upsampler, in the same form. `inputs` contain the base model's x as low_res; pixels are rounded to
/// the 8 bits of an image file, as in training.
torch::Tensor sample_upsampler(const GLIDE& model, const GLIDEJob& job, GLIDEInputs inputs, NoiseSource& noise,
                               const OnStep& on_step);

}  // namespace sfumato
