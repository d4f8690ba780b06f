#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "diffusion/guided_denoiser.h"
#include "diffusion/steps.h"
#include "systems/stable_diffusion/job.h"

namespace sfumato {

/// Conditions of a job at each of `steps`, as diffusers' encode_prompt and _get_add_time_ids make them; padding is
/// attended to, as there. Each has batch_count rows on the model's device. `concat` [N, C', h, w], where it is defined,
/// is concatenated to the latents; a network that edits images gets zeros in its place with the negative prompt alone.
/// Adds lines to `warnings`: for text that did not fit, for a prompt of unknown words. Throws std::invalid_argument as
/// read_prompts does (systems/stable_diffusion/prompt_script.h), and for prompts that AND joins where guidance has no
/// place for them.
GuidanceConditions conditions_of(const Job& job, const std::vector<Step>& steps, const torch::Tensor& concat,
                                 std::vector<std::string>& warnings);

}  // namespace sfumato
