#include "pipelines/prompts.h"

#include "diffusion/guidance.h"

namespace sfumato {
namespace {

/// One line, whatever the text holds.
std::string quoted(const std::string& text) {
  auto line = Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
  return line;
}

torch::Tensor ids_of(const StableDiffusion& model, const std::string& text, std::vector<std::string>& warnings) {
  const auto tokens = model.tokenizer->encode(text);
  if (!tokens.cut.empty())
    warnings.push_back("the text encoder takes " + std::to_string(model.tokenizer->max_length()) +
                       " tokens; left out: " + quoted(tokens.cut));
  return torch::tensor(tokens.ids, torch::kInt64).unsqueeze(0);  // [1, L]
}

}  // namespace

torch::Tensor encode_prompts(const StableDiffusion& model, const Request& request, std::vector<std::string>& warnings) {
  if (auto note = model.things.note_for(request.prompt); !note.empty()) warnings.push_back(std::move(note));
  auto ids = ids_of(model, request.prompt, warnings);
  if (is_guided({.scale = request.guidance_scale}))
    ids = torch::cat({ids_of(model, request.negative_prompt, warnings), ids});  // [2, L]
  const auto states = model.text_encoder(ids.to(model.placement.device));       // [1 or 2, L, D]
  return states.repeat_interleave(request.batch_count, 0);
}

}  // namespace sfumato
