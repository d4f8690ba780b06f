#pragma once

#include <optional>
#include <vector>

#include "systems/stable_diffusion/denoise.h"

namespace sfumato {

/// The second pass of a job, at a higher resolution.
struct SecondPass {
  Job job;                  ///< the first pass's at the second pass's size
  std::vector<Step> steps;  ///< hires.steps steps, the last of a schedule with the density set by hires.strength
  std::vector<Step> all{};  ///< all steps of that schedule
  std::string note{};       ///< a line about a rounded size; may be empty
};

/// Returns nothing for a request without a second pass. Throws std::invalid_argument if it would be smaller than one
/// latent pixel or exceed a request's largest size.
std::optional<SecondPass> second_pass(const Job& first);

/// Runs the second pass on the latents of the first, in `generated`. Draws new noise from the request's seeds, like a
/// separate image to image. Returns false if on_step ended it.
bool run_second_pass(const SecondPass& pass, Generated& generated);

}  // namespace sfumato
