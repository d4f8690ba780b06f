#include "systems/stable_diffusion/conditioning.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>

#include "systems/stable_diffusion/prompt_encoding.h"
#include "systems/stable_diffusion/prompt_script.h"

namespace sfumato {
namespace {

// Scores of diffusers' StableDiffusionXLImg2ImgPipeline for the refiner.
constexpr double kAestheticScore = 6.0, kNegativeAestheticScore = 2.5;

/// Micro-conditioning (Podell et al. 2023, section 2.2): the size of the image before scaling, the corner of its crop,
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

/// Sinusoidal embedding of the guidance scale minus 1 (Song et al. 2023, LCM; get_guidance_scale_embedding): [1, dim].
/// Undefined for networks without this input.
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

/// Returns the text's keys and values in the UNet's layers, and then in those of each ControlNet.
std::vector<torch::Tensor> keys_values_of(const Job& job, const torch::Tensor& states) {
  auto layers = job.model.unet->text_keys_values(states);
  for (const auto& controlnet : job.attachments.controlnets)
    for (auto& layer : controlnet.network->text_keys_values(states)) layers.push_back(std::move(layer));
  return layers;
}

/// Returns batch_count rows of one text.
Condition condition_of(const Job& job, const EncodedText& text, double aesthetic_score, const torch::Tensor& concat) {
  Condition condition{.encoder_hidden_states = text.states,
                      .text_keys_values = keys_values_of(job, text.states),
                      .text_embeds = job.model.is_xl() ? text.pooled : torch::Tensor(),
                      .time_ids = time_ids(job.model, job.request, aesthetic_score),
                      .timestep_cond = guidance_embedding(job.model, job.request)};
  condition = repeat_interleave(condition, job.request.batch_count);
  condition.concat = concat;
  return condition;
}

GuidanceTerms<Condition> terms_of(const Job& job, const std::vector<EncodedText>& positives,
                                  const std::optional<EncodedText>& negative, const torch::Tensor& concat) {
  GuidanceTerms<Condition> terms;
  for (const auto& positive : positives)
    terms.positives.push_back(condition_of(job, positive, kAestheticScore, concat));
  if (!negative) return terms;
  const bool edits = job.model.edits_images();
  const auto without_image = edits ? torch::zeros_like(concat) : concat;
  terms.negative = condition_of(job, *negative, kNegativeAestheticScore, without_image);
  if (edits) terms.image = condition_of(job, *negative, kNegativeAestheticScore, concat);
  if (controls_prompt_alone(job)) terms.negative->uncontrolled = torch::ones({terms.negative->rows()}, torch::kBool);
  return terms;
}

void check_prompts(const Job& job, const PromptScript& script) {
  if (script.weights.size() == 1) return;
  if (job.model.edits_images())
    throw std::invalid_argument("prompts that AND joins: expected one prompt with a model that edits images");
  if (job.guidance.plus_plus) throw std::invalid_argument("guidance 'cfg++': expected cfg with prompts that AND joins");
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

GuidanceConditions conditions_of(const Job& job, const std::vector<Step>& steps, const torch::Tensor& concat,
                                 std::vector<std::string>& warnings) {
  const auto& model = job.model;
  const auto& request = job.request;
  if (auto note = model.things.note_for(request.prompt); !note.empty()) warnings.push_back(std::move(note));
  const auto script = read_prompts(request, steps);
  check_prompts(job, script);
  const bool has_negative = is_guided(job) || script.weights.size() > 1;
  const bool zeros = !request.negative_prompt && model.zeros_without_negative_prompt;
  const PromptEncoding encoding{.reads_weights = request.prompt_syntax == "a1111",
                                .clip_skip = request.clip_skip - 1,
                                .device = model.placement.device};
  const auto texts = encode_texts(model.text_encoders, texts_of(script, has_negative && !zeros), encoding, warnings);
  GuidanceConditions conditions{.of_step = script.of_step, .weights = script.weights};
  for (const auto& [parts, words] : script.distinct) {
    std::vector<EncodedText> positives;
    for (const auto& part : parts) positives.push_back(texts.at(part));
    std::optional<EncodedText> negative;
    if (has_negative) negative = zeros ? zeros_like(positives.front()) : texts.at(words);
    conditions.distinct.push_back(terms_of(job, positives, negative, concat));
  }
  return conditions;
}

}  // namespace sfumato
