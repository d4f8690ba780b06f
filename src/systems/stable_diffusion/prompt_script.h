#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "diffusion/steps.h"
#include "systems/stable_diffusion/request.h"

namespace sfumato {

/// Prompts at one step: those joined by AND, and the negative prompt.
struct Wording {
  std::vector<std::string> parts;
  std::string negative;

  bool operator==(const Wording&) const = default;
};

/// Prompts at each step.
struct PromptScript {
  std::vector<Wording> distinct = {};
  std::vector<std::size_t> of_step = {};  ///< index into `distinct` for each of the sampler's steps
  std::vector<double> weights = {};       ///< of the joined prompts, the same at every step
};

/// Parses the prompts of a request by its prompt_syntax; a1111 first removes comments. AND splits only the prompt, as
/// in AUTOMATIC1111's web UI; in the negative prompt it is an ordinary word. Prompts change by position
/// among `steps`, the executed ones (in image to image too). A step that repeats its predecessor, like PNDM's second,
/// shares its position. Throws std::invalid_argument for the tag of a LoRA.
PromptScript read_prompts(const Request& request, const std::vector<Step>& steps);

}  // namespace sfumato
