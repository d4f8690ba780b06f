#pragma once

#include "pipelines/denoise.h"

namespace sfumato {

/// The second pass that a completed request asks for, at a higher resolution.
struct SecondPass {
  Request request;          ///< the first one's at the second one's size
  std::vector<Step> steps;  ///< hires.steps of them, the last of those that lie as densely as hires.strength says
  std::vector<Step> all{};  ///< all of those
};

/// Throws std::invalid_argument where it would be smaller than one latent pixel or larger than a request may be.
SecondPass second_pass(const StableDiffusion& model, const Request& first);

/// Latents after the second pass from those after the first. Its noise is drawn anew from the request's seeds, as if it
/// were an image to image of its own. False where on_step ended it.
bool run_second_pass(const StableDiffusion& model, const SecondPass& pass, Generated& generated, const OnStep& on_step);

}  // namespace sfumato
