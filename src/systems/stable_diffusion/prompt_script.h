#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "diffusion/steps.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// What is said at one step: the prompts that AND joins, and the negative prompt.
struct Wording {
  std::vector<std::string> parts;
  std::string negative;

  bool operator==(const Wording&) const = default;
};

/// What is said at each step.
struct PromptScript {
  std::vector<Wording> distinct = {};
  std::vector<std::size_t> of_step = {};  ///< which of `distinct`, for each of the sampler's steps
  std::vector<double> weights = {};       ///< of the parts, the same at every step
};

/// The prompts of a request as its prompt_syntax reads them: of a1111's, first the comments go. AND parts the prompt
/// alone, as in AUTOMATIC1111's web UI, where it is a word like others in the negative one. Prompts change by their
/// place among `steps`, those that run (in image to image too); a step that repeats its predecessor, as PNDM's second,
/// counts with it. Throws std::invalid_argument for the tag of a LoRA.
PromptScript read_prompts(const Request& request, const std::vector<Step>& steps);

}  // namespace sfumato
