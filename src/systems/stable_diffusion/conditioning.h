#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "diffusion/guided_denoiser.h"
#include "diffusion/steps.h"
#include "systems/stable_diffusion/job.h"

namespace sfumato {

/// Returns the conditions of a job at each of `steps`, as diffusers' encode_prompt and _get_add_time_ids do; padding is
/// attended to, as in diffusers. Each has batch_count rows on the model's device. A defined `concat` [N, C', h, w] is
/// concatenated to the latents; a network that edits images gets zeros instead for the negative prompt alone. Adds
/// lines to `warnings`: for truncated text, for a prompt of unknown words. Throws std::invalid_argument as
/// read_prompts does (systems/stable_diffusion/prompt_script.h), and for prompts joined by AND if guidance does not
/// support them.
GuidanceConditions conditions_of(const Job& job, const std::vector<Step>& steps, const torch::Tensor& concat,
                                 std::vector<std::string>& warnings);

}  // namespace sfumato
