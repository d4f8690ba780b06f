#include "pipelines/conditioning.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "diffusion/guidance.h"
#include "pipelines/prompt_encoding.h"
#include "pipelines/prompt_script.h"

namespace sfumato {
namespace {

// What diffusers' StableDiffusionXLImg2ImgPipeline tells the refiner.
constexpr double kAestheticScore = 6.0, kNegativeAestheticScore = 2.5;

/// Each of `rows` [1, ...] `count` times; undefined where the first is.
torch::Tensor repeated(const std::vector<torch::Tensor>& rows, std::int64_t count) {
  if (!rows.front().defined()) return {};
  return torch::cat(rows).repeat_interleave(count, 0);
}

/// Micro-conditioning (Podell et al. 2023, section 2.2): the size of the picture before scaling, where it was cut out,
/// and its target size or, for the refiner, a score: [1, 6 or 5]. Undefined for other models.
torch::Tensor time_ids(const StableDiffusion& model, const Request& request, double score) {
  if (!model.is_xl()) return {};
  const auto height = static_cast<double>(request.height), width = static_cast<double>(request.width);
  const auto or_own = [](std::int64_t asked, double own) { return asked > 0 ? static_cast<double>(asked) : own; };
  std::vector<double> ids = {or_own(request.original_height, height), or_own(request.original_width, width),
                             static_cast<double>(request.crop_top), static_cast<double>(request.crop_left)};
  if (model.requires_aesthetics_score) {
    ids.push_back(score);
  } else {
    ids.insert(ids.end(), {height, width});
  }
  return torch::tensor(ids, torch::kFloat32).unsqueeze(0).to(model.placement.device);
}

EncodedText zeros_like(const EncodedText& text) {
  return {torch::zeros_like(text.states), text.pooled.defined() ? torch::zeros_like(text.pooled) : torch::Tensor()};
}

/// Sinusoidal embedding of the guidance scale less 1 (Song et al. 2023, LCM; get_guidance_scale_embedding): [1, dim].
/// Undefined for networks that are not told.
torch::Tensor guidance_embedding(const StableDiffusion& model, const Request& request) {
  const auto dim = model.unet->config().time_cond_proj_dim;
  if (dim == 0) return {};
  const auto half = dim / 2;
  const auto rate =
      torch::exp(torch::arange(half, torch::kFloat32) * (-std::log(10000.0) / static_cast<double>(half - 1)));
  const auto phase = rate * (1000 * (request.guidance_scale - 1));
  auto embedding = torch::cat({phase.sin(), phase.cos()});
  if (dim % 2 == 1) embedding = torch::constant_pad_nd(embedding, {0, 1});
  return embedding.unsqueeze(0).to(model.placement.device);
}

/// The rows of one step.
Conditioning told(const StableDiffusion& model, const Request& request, const std::vector<EncodedText>& positives,
                  const std::optional<EncodedText>& negative) {
  std::vector<torch::Tensor> states, pooled, ids, scales;
  const auto add = [&](const EncodedText& text, double score) {
    states.push_back(text.states);
    pooled.push_back(text.pooled);
    ids.push_back(time_ids(model, request, score));
    scales.push_back(guidance_embedding(model, request));
  };
  if (negative) add(*negative, kNegativeAestheticScore);
  if (negative && edits_pictures(model)) add(*negative, kNegativeAestheticScore);
  for (const auto& positive : positives) add(positive, kAestheticScore);
  const auto count = request.batch_count;
  return {.states = repeated(states, count),
          .text_embeds = model.is_xl() ? repeated(pooled, count) : torch::Tensor(),
          .time_ids = repeated(ids, count),
          .timestep_cond = repeated(scales, count)};
}

std::vector<std::string> texts_of(const PromptScript& script, bool with_negative) {
  std::vector<std::string> texts;
  for (const auto& wording : script.distinct) {
    texts.insert(texts.end(), wording.parts.begin(), wording.parts.end());
    if (with_negative) texts.push_back(wording.negative);
  }
  return texts;
}

}  // namespace

Conditioning for_rows(const Conditioning& told, std::int64_t rows) {
  const auto fitted = [&](const torch::Tensor& all) {
    const auto more = all.defined() ? rows - all.size(0) : 0;
    if (more == 0) return all;
    return more < 0 ? all.narrow(0, -more, rows) : torch::cat({all, all.narrow(0, all.size(0) - more, more)});
  };
  return {fitted(told.states), fitted(told.text_embeds), fitted(told.time_ids), fitted(told.timestep_cond)};
}

Conditioning first_rows(const Conditioning& told, std::int64_t rows) {
  const auto cut = [&](const torch::Tensor& all) { return all.defined() ? all.narrow(0, 0, rows) : all; };
  return {cut(told.states), cut(told.text_embeds), cut(told.time_ids), cut(told.timestep_cond)};
}

bool edits_pictures(const StableDiffusion& model) {
  return model.unet->config().in_channels == 2 * model.vae->config().latent_channels;
}

bool is_guided(const StableDiffusion& model, const Request& request) {
  return (request.guidance == "cfg++" || is_guided({.scale = request.guidance_scale})) &&
         model.unet->config().time_cond_proj_dim == 0;
}

StepwiseConditioning condition(const StableDiffusion& model, const Request& request, const std::vector<Step>& steps,
                               std::vector<std::string>& warnings) {
  if (auto note = model.things.note_for(request.prompt); !note.empty()) warnings.push_back(std::move(note));
  const auto script = read_prompts(request, steps);
  const bool has_negative = is_guided(model, request) || script.weights.size() > 1;
  const bool zeros = !request.negative_prompt && model.zeros_without_negative_prompt;
  const PromptEncoding encoding{.reads_weights = request.prompt_syntax == "a1111",
                                .clip_skip = request.clip_skip - 1,
                                .device = model.placement.device};
  const auto texts = encode_texts(model.text_encoders, texts_of(script, has_negative && !zeros), encoding, warnings);
  StepwiseConditioning conditioning{.of_step = script.of_step, .weights = script.weights};
  for (const auto& [parts, words] : script.distinct) {
    std::vector<EncodedText> positives;
    for (const auto& part : parts) positives.push_back(texts.at(part));
    std::optional<EncodedText> negative;
    if (has_negative) negative = zeros ? zeros_like(positives.front()) : texts.at(words);
    conditioning.distinct.push_back(told(model, request, positives, negative));
  }
  return conditioning;
}

}  // namespace sfumato
