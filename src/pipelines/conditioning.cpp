#include "pipelines/conditioning.h"

#include <cmath>

#include "diffusion/guidance.h"

namespace sfumato {
namespace {

// What diffusers' StableDiffusionXLImg2ImgPipeline tells the refiner.
constexpr double kAestheticScore = 6.0, kNegativeAestheticScore = 2.5;

/// One line, whatever the text holds.
std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

void warn_of_cut(const Tokenizer& tokenizer, const std::string& cut, std::vector<std::string>& warnings) {
  if (cut.empty()) return;
  warnings.push_back("the text encoder takes " + std::to_string(tokenizer.max_length()) +
                     " tokens; left out: " + quoted(cut));
}

/// One text, encoded by all of the model's encoders: states side by side [1, L, D], the last one's pooled [1, P].
EncodedText encode_text(const StableDiffusion& model, const std::string& text, std::int64_t clip_skip,
                        std::vector<std::string>& warnings) {
  EncodedText all;
  std::vector<torch::Tensor> states;
  for (const auto& encoder : model.text_encoders) {
    const auto tokens = encoder.tokenizer->encode(text);
    if (states.empty()) warn_of_cut(*encoder.tokenizer, tokens.cut, warnings);
    const auto ids = torch::tensor(tokens.ids, torch::kInt64).unsqueeze(0).to(model.placement.device);  // [1, L]
    const auto encoded = encoder.encode(ids, clip_skip);
    states.push_back(encoded.states);
    if (encoded.pooled.defined()) all.pooled = encoded.pooled;
  }
  all.states = torch::cat(states, -1);
  return all;
}

/// `negative` before `positive`, each `count` times.
torch::Tensor halves(const torch::Tensor& negative, const torch::Tensor& positive, std::int64_t count) {
  if (!positive.defined()) return {};
  const auto repeated = positive.repeat_interleave(count, 0);
  return negative.defined() ? torch::cat({negative.repeat_interleave(count, 0), repeated}) : repeated;
}

EncodedText encode_negative(const StableDiffusion& model, const Request& request, const EncodedText& positive,
                            std::vector<std::string>& warnings) {
  if (!request.negative_prompt && model.zeros_without_negative_prompt)
    return {torch::zeros_like(positive.states), torch::zeros_like(positive.pooled)};
  return encode_text(model, request.negative_prompt.value_or(""), request.clip_skip - 1, warnings);
}

/// Micro-conditioning (Podell et al. 2023, section 2.2): the size of the picture before scaling, where it was cut out,
/// and its target size or, for the refiner, a score: [1, 6 or 5].
torch::Tensor time_ids(const StableDiffusion& model, const Request& request, double score) {
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

/// Sinusoidal embedding of the guidance scale less 1 (Song et al. 2023, LCM; get_guidance_scale_embedding): [N, dim].
torch::Tensor guidance_embedding(const Request& request, std::int64_t dim, const Placement& placement) {
  const auto half = dim / 2;
  const auto rate =
      torch::exp(torch::arange(half, torch::kFloat32) * (-std::log(10000.0) / static_cast<double>(half - 1)));
  const auto phase = rate * (1000 * (request.guidance_scale - 1));
  auto embedding = torch::cat({phase.sin(), phase.cos()});
  if (dim % 2 == 1) embedding = torch::constant_pad_nd(embedding, {0, 1});
  return embedding.unsqueeze(0).repeat({request.batch_count, 1}).to(placement.device);
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

bool is_guided(const StableDiffusion& model, const Request& request) {
  return (request.guidance == "cfg++" || is_guided({.scale = request.guidance_scale})) &&
         model.unet->config().time_cond_proj_dim == 0;
}

Conditioning condition(const StableDiffusion& model, const Request& request, std::vector<std::string>& warnings) {
  if (auto note = model.things.note_for(request.prompt); !note.empty()) warnings.push_back(std::move(note));
  const auto count = request.batch_count;
  const bool guided = is_guided(model, request);
  const auto positive = encode_text(model, request.prompt, request.clip_skip - 1, warnings);
  const auto negative = guided ? encode_negative(model, request, positive, warnings) : EncodedText();
  Conditioning conditioning;
  conditioning.states = halves(negative.states, positive.states, count);
  if (model.is_xl()) {
    conditioning.text_embeds = halves(negative.pooled, positive.pooled, count);
    conditioning.time_ids = halves(guided ? time_ids(model, request, kNegativeAestheticScore) : torch::Tensor(),
                                   time_ids(model, request, kAestheticScore), count);
  }
  if (const auto dim = model.unet->config().time_cond_proj_dim; dim > 0)
    conditioning.timestep_cond = guidance_embedding(request, dim, model.placement);
  return conditioning;
}

}  // namespace sfumato
