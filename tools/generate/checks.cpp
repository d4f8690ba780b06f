#include "generate/checks.h"

#include <stdexcept>

#include "images/animation.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

void check_utf8_path(const std::string& name, const std::string& path) {
  try {
    require_utf8(path);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(name + " '" + path + "': " + error.what() + ": the picture's record takes UTF-8 alone");
  }
}

}  // namespace

void check_recorded_paths(const GenerateOptions& options) {
  const auto& request = options.requests.front();
  check_utf8_path("model", options.model.name);
  check_utf8_path("vae", options.model.vae);
  check_utf8_path("image", request.image);
  check_utf8_path("mask", request.inpaint.mask);
  check_utf8_path("refiner", request.refiner.model);
  check_utf8_path("clip model", request.clip_guidance.model);
  for (const auto& lora : options.adapters.loras) check_utf8_path("lora", lora.path.string());
  for (const auto& path : options.adapters.embeddings) check_utf8_path("embedding", path.string());
  for (const auto& unit : request.controls) {
    check_utf8_path("control", unit.model);
    check_utf8_path("control image", unit.image);
  }
}

void check_prompts(const std::vector<Request>& requests, const std::string& source) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    try {
      validate_prompts(requests[i]);
    } catch (const std::invalid_argument& error) {
      if (source.empty()) throw;
      throw std::invalid_argument("'" + source + "', prompt " + std::to_string(i + 1) + ": " + error.what());
    }
  }
}

void check_output_options(const GenerateOptions& options, bool random_seed) {
  if (options.quality < 1 || options.quality > 100)
    throw std::invalid_argument("quality " + std::to_string(options.quality) + ": expected 1 to 100");
  if (options.preview_every < 0)
    throw std::invalid_argument("preview every " + std::to_string(options.preview_every) + ": expected 0 or more");
  if (options.frames < 1)
    throw std::invalid_argument("frames " + std::to_string(options.frames) + ": expected 1 or more");
  if (!options.animation.empty()) check_animation_name(options.animation);
  if (!options.skip_existing) return;
  if (options.force) throw std::invalid_argument("--skip-existing and --force: expected one of them");
  if (options.output.empty()) throw std::invalid_argument("--skip-existing without -o: expected names that stay");
  if (random_seed && options.output.find("{seed}") != std::string::npos)
    throw std::invalid_argument("--skip-existing with {seed} and a random seed: expected -s");
}

}  // namespace sfumato
