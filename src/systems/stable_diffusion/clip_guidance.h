#pragma once

#include <string>
#include <vector>

#include "diffusion/gradient_guidance.h"
#include "systems/stable_diffusion/denoise.h"

namespace sfumato {

/// Returns the guidance of a pass by the request's CLIP: towards the prompt of each step, without weights and other
/// syntax, within guidance_start and guidance_end. Prompts joined by AND become one text. Adds a warning if CLIP's
/// tokenizer cuts the prompt off. Throws std::invalid_argument if the job's attachments lack the CLIP, or if it does
/// not fit the latents. The job must outlive the guidance.
GradientGuidance clip_guidance(const Job& job, const Denoising& denoising, std::vector<std::string>& warnings);

}  // namespace sfumato
