#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <string>
#include <vector>

#include "diffusion/steps.h"
#include "pipelines/request.h"
#include "pipelines/stable_diffusion.h"

namespace sfumato {

/// What the UNet is told of a request beside latents and timestep, on the model's device. Its rows are those of the
/// UNet's batch: N = batch_count with the prompt or, with guidance, first N with the negative prompt, then N with it.
/// Of a model that edits pictures with guidance, first 2N with the negative prompt, then N with the prompt.
/// Where AND joins K prompts, N with the negative prompt and then N with each of them.
struct Conditioning {
  torch::Tensor states;         ///< the text encoders' [N, 2N or (1 + K) N, L, D]
  torch::Tensor text_embeds;    ///< Stable Diffusion XL: the pooled text [as many, P]
  torch::Tensor time_ids;       ///< Stable Diffusion XL: sizes and crop [as many, 6], of its refiner [as many, 5]
  torch::Tensor timestep_cond;  ///< of a network that was distilled with guidance: [as many, time_cond_proj_dim]
};

/// What the UNet is told at each step, since a prompt can change on the way.
struct StepwiseConditioning {
  std::vector<Conditioning> distinct = {};
  std::vector<std::size_t> of_step = {};  ///< which of `distinct` it is, for each of the sampler's steps
  std::vector<double> weights = {};       ///< of the prompts that AND joins

  const Conditioning& at(std::size_t step) const { return distinct[of_step.at(step)]; }
  /// Whether there are several prompts at once: composed_guidance then takes the place of classifier_free_guidance.
  bool is_composed() const { return weights.size() > 1; }
};

/// `told` for a batch of `rows`: where that is fewer, the last ones alone; where it is more, the last ones once more.
Conditioning for_rows(const Conditioning& told, std::int64_t rows);

/// `told` for its first `rows` alone.
Conditioning first_rows(const Conditioning& told, std::int64_t rows);

/// Whether the UNet was trained to edit pictures by instructions (instruct-pix2pix): it takes a picture's latents as
/// channels after the latents' own.
bool edits_pictures(const StableDiffusion& model);

/// Whether a request runs with a negative half. A network distilled with guidance (LCM) is told its scale instead.
bool is_guided(const StableDiffusion& model, const Request& request);

/// As diffusers' encode_prompt and _get_add_time_ids make it; padding is attended to, as there. What is said at which
/// of `steps`, and what throws, is read_prompts' (pipelines/prompt_script.h). `request` is complete. Adds lines to
/// `warnings`: for text that did not fit, for a prompt of unknown things.
StepwiseConditioning condition(const StableDiffusion& model, const Request& request, const std::vector<Step>& steps,
                               std::vector<std::string>& warnings);

}  // namespace sfumato
