#pragma once

#include <optional>
#include <vector>

#include "systems/stable_diffusion/denoise.h"

namespace sfumato {

/// The second pass of a job, at a higher resolution.
struct SecondPass {
  Job job;                  ///< the first one's at the second one's size
  std::vector<Step> steps;  ///< hires.steps of them, the last of those that lie as densely as hires.strength says
  std::vector<Step> all{};  ///< all of those
  std::string note{};       ///< a line on a size that was rounded; may be empty
};

/// Nothing where the request has no second pass. Throws std::invalid_argument where it would be smaller than one latent
/// pixel or larger than a request may be.
std::optional<SecondPass> second_pass(const Job& first);

/// Latents after the second pass from those after the first, in `generated`. Its noise is drawn anew from the request's
/// seeds, as if it were an image to image of its own. False where on_step ended it.
bool run_second_pass(const SecondPass& pass, Generated& generated);

}  // namespace sfumato
