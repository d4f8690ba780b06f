#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "diffusion/gradient_guidance.h"
#include "diffusion/schedule.h"
#include "systems/clip.h"

namespace sfumato {

/// The space of a diffusion model that CLIP guides.
struct GuidedSpace {
  const Schedule& schedule;
  std::int64_t channels = 3, height = 0, width = 0;  ///< of x
  /// Decodes x0 to images [N, 3, H, W] in [-1, 1], differentiable.
  std::function<torch::Tensor(const torch::Tensor& x0)> decode;
};

/// Texts of a run and, for each of the sampler's steps, an index into them.
struct GuidedTexts {
  std::vector<std::string> distinct;
  std::vector<std::size_t> of_step;
};

/// Throws std::invalid_argument naming the CLIP model if it cannot guide in this space: a noised one of other channels,
/// of another size or of another noise schedule, or one without noise that takes no RGB images.
void check_clip(const CLIP& clip, const GuidedSpace& space);

/// Returns the value that guidance by CLIP increases. The CLIP must fit the space (check_clip).
///
/// With a noised model (Nichol et al. 2021, section 2.3): exp(logit_scale) f(x_t, t) . g(c) of features at unit length.
/// Its gradient takes one forward and one backward pass of the image tower, whose size is that of x.
///
/// With any other: the decoded estimate of x0 against the text, as in diffusers' community pipeline
/// clip_guided_stable_diffusion: minus the squared distance on the sphere, 2 asin(|f - g| / 2)^2. The gradient passes
/// the image tower and the decoder, and not the denoising network.
GuidanceValue clip_value(const std::shared_ptr<const CLIP>& clip, const GuidedTexts& texts, const GuidedSpace& space);

/// Returns a warning if CLIP's tokenizer cuts a text off; "" if not.
std::string cut_note(const CLIP& clip, const std::string& text);

}  // namespace sfumato
