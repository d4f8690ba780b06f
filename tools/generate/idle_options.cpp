#include "generate/idle_options.h"

#include <algorithm>
#include <stdexcept>

#include "diffusion/guidance.h"
#include "images/write.h"

namespace sfumato {
namespace {

/// Options that depend on another one.
struct Dependents {
  std::string owner;
  bool is_on = false;
  std::vector<std::string> options;
};

/// True for guidance by the negative prompt; prompts joined by AND use it at any scale.
bool has_negative(const GenerateOptions& options) {
  const auto joins = [](const Request& request) { return request.prompt.find("AND") != std::string::npos; };
  const auto& request = options.requests.front();
  return request.guidance == "cfg++" || is_guided(request.guidance_scale) ||
         std::any_of(options.requests.begin(), options.requests.end(), joins);
}

bool has_loras(const GenerateOptions& options) {
  const auto names_any = [](const std::vector<Lora>& loras) { return !loras.empty(); };
  return names_any(options.adapters.loras) ||
         std::any_of(options.prompt_loras.begin(), options.prompt_loras.end(), names_any);
}

std::vector<Dependents> dependents_of(const GenerateOptions& options) {
  const auto& request = options.requests.front();
  const bool guided = has_negative(options);
  const bool perturbed = request.pag_scale > 0 || request.sag_scale > 0;
  const auto& clip = request.clip_guidance;
  const std::string guidance = "guidance (--cfg-scale is 1 or less)";
  return {{"--pag-scale", request.pag_scale > 0, {"--pag-layers", "--pag-adaptive-scale"}},
          {"--dynamic-threshold", request.dynamic_threshold > 0, {"--dynamic-threshold-max"}},
          {"--hires-scale, --hires-width or --hires-height",
           request.hires.is_on(),
           {"--hires-steps", "--hires-strength", "--hires-upscaler"}},
          {"--refiner", request.refiner.is_on(), {"--refiner-at"}},
          {"--clip-guidance", clip.scale != 0, {"--clip-model"}},
          {"--clip-model", !clip.model.empty(), {"--clip-guidance"}},
          {"--subseed-strength", request.subseed_strength > 0, {"--subseed"}},
          {"--only-masked", request.inpaint.only_masked, {"--mask-padding"}},
          {"--lora or a tag in the prompt", has_loras(options), {"--lora-partial"}},
          {"--preview-every", options.preview_every > 0, {"--preview-vae"}},
          {"--animate", !options.animation.empty(), {"--frames"}},
          {guidance, guided, {"--guidance-rescale", "--image-guidance"}},
          {guidance, guided || request.negative_prompt.value_or("").empty(), {"--negative-prompt"}},
          {guidance, guided || perturbed || clip.is_on(), {"--guidance-start", "--guidance-end"}}};
}

}  // namespace

void refuse_idle_options(const CLI::App& app, const GenerateOptions& options) {
  const auto given = [&](const std::string& name) {
    const auto* option = app.get_option_no_throw(name);
    return option != nullptr && option->count() > 0;
  };
  for (const auto& [owner, is_on, names] : dependents_of(options))
    for (const auto& name : names)
      if (!is_on && given(name)) throw std::invalid_argument(name + " without " + owner + ": expected both");
  if (given("--quality") && !has_quality(options.output))
    throw std::invalid_argument("--quality with output '" + options.output +
                                "': expected a name that ends in .jpg, .jpeg or .webp");
}

}  // namespace sfumato
