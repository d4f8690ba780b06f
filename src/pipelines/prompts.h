#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "pipelines/request.h"
#include "pipelines/stable_diffusion.h"

namespace sfumato {

/// What the UNet attends to, on the model's device: hidden states of the prompt [N, L, D] or, with guidance, of the
/// negative prompt and the prompt [2N, L, D], N = batch_count. Padding is attended to, as diffusers'
/// StableDiffusionPipeline has it. Adds a line to `warnings` for text that did not fit.
torch::Tensor encode_prompts(const StableDiffusion& model, const Request& request, std::vector<std::string>& warnings);

}  // namespace sfumato
