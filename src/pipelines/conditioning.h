#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "pipelines/request.h"
#include "pipelines/stable_diffusion.h"

namespace sfumato {

/// What the UNet is told of a request beside latents and timestep, on the model's device. Its rows are those of the
/// UNet's batch: N = batch_count with the prompt or, with guidance, first N with the negative prompt, then N with it.
struct Conditioning {
  torch::Tensor states;         ///< the text encoders' [N or 2N, L, D]
  torch::Tensor text_embeds;    ///< Stable Diffusion XL: the pooled text [N or 2N, P]
  torch::Tensor time_ids;       ///< Stable Diffusion XL: sizes and crop [N or 2N, 6], of its refiner [N or 2N, 5]
  torch::Tensor timestep_cond;  ///< of a network that was distilled with guidance: [N, time_cond_proj_dim]
};

/// `told` for a batch of `rows`: where that is fewer, the last ones alone; where it is more, the last ones once more.
Conditioning for_rows(const Conditioning& told, std::int64_t rows);

/// Whether a request runs with a negative half. A network distilled with guidance (LCM) is told its scale instead.
bool is_guided(const StableDiffusion& model, const Request& request);

/// As diffusers' encode_prompt and _get_add_time_ids make it; padding is attended to, as there. `request` has its size.
/// Adds lines to `warnings`: for text that did not fit, for a prompt of unknown things.
Conditioning condition(const StableDiffusion& model, const Request& request, std::vector<std::string>& warnings);

}  // namespace sfumato
