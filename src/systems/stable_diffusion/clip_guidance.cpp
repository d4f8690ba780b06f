#include "systems/stable_diffusion/clip_guidance.h"

#include <stdexcept>

#include "systems/clip_guidance.h"
#include "systems/stable_diffusion/prompt_script.h"
#include "tokenizer/prompt_weights.h"

namespace sfumato {
namespace {

/// Returns the words of joined prompts.
std::string words_of(const Wording& wording, bool reads_weights) {
  std::string words;
  const auto append = [&](const std::string& text) { words += (words.empty() || text.empty() ? "" : " ") + text; };
  for (const auto& part : wording.parts) {
    std::string text;
    if (reads_weights)
      for (const auto& stretch : parse_weights(part)) text += stretch.is_break ? " " : stretch.text;
    append(reads_weights ? text : part);
  }
  return words;
}

GuidedTexts texts_of(const Request& request, const std::vector<Step>& steps) {
  const auto script = read_prompts(request, steps);
  GuidedTexts texts{.distinct = {}, .of_step = script.of_step};
  for (const auto& wording : script.distinct)
    texts.distinct.push_back(words_of(wording, request.prompt_syntax == "a1111"));
  return texts;
}

GuidedSpace space_of(const Job& job, const torch::Tensor& x) {
  return {.schedule = job.schedule,
          .channels = x.size(1),
          .height = x.size(2),
          .width = x.size(3),
          .decode = [&job](const torch::Tensor& x0) { return decode(job.model, x0, job.attachments.vae_tiling); }};
}

}  // namespace

GradientGuidance clip_guidance(const Job& job, const Denoising& denoising, std::vector<std::string>& warnings) {
  const auto& request = job.request;
  const auto& clip = job.attachments.clip;
  if (!clip)
    throw std::invalid_argument("clip model '" + request.clip_guidance.model +
                                "': expected one loaded for the request");
  const auto texts = texts_of(request, denoising.steps);
  for (const auto& text : texts.distinct)
    if (auto note = cut_note(*clip, text); !note.empty()) warnings.push_back(std::move(note));
  const auto space = space_of(job, denoising.start);
  check_clip(*clip, space);
  return {.value = clip_value(clip, texts, space),
          .scale = request.clip_guidance.scale,
          .steps = denoising.steps,
          .learned_variance = false,
          .range = EvaluationRange::of_fractions(request.guidance_start, request.guidance_end,
                                                 evaluation_count(denoising.steps, job.sampler.order))};
}

}  // namespace sfumato
