#include "systems/stable_diffusion/request.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "core/number_text.h"
#include "core/random.h"
#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "systems/stable_diffusion/request_sizes.h"
#include "systems/stable_diffusion/upscalers.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

constexpr std::int64_t kLargestSide = 16384;
constexpr std::int64_t kLargestBatch = 10000;
constexpr double kLargestGuidance = 1000;
constexpr double kLargestBlur = 1000;
constexpr double kLargestScale = 8;

[[noreturn]] void refuse(const std::string& name, const std::string& value, const std::string& expected) {
  throw std::invalid_argument(name + " " + value + ": expected " + expected);
}

void check_count(const std::string& name, std::int64_t value, std::int64_t largest) {
  if (value < 1 || value > largest) refuse(name, std::to_string(value), "1 to " + std::to_string(largest));
}

void check_range(const std::string& name, double value, double largest) {
  if (!(value >= 0 && value <= largest)) refuse(name, number_text(value), "0 to " + number_text(largest));
}

void check_side(const std::string& name, std::int64_t value, std::int64_t factor) {
  if (value < 0 || value > kLargestSide || value % factor != 0)
    refuse(name, std::to_string(value),
           "a multiple of " + std::to_string(factor) + " (the VAE's factor) up to " + std::to_string(kLargestSide));
}

void check_text(const std::string& name, const std::string& text) {
  try {
    require_utf8(text);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(name + ": " + error.what());
  }
  if (text.find('\0') != std::string::npos) throw std::invalid_argument(name + " holds a NUL character");
}

void check_schedule(const Request& request) {
  if (!request.schedule.empty()) find_sigma_schedule(request.schedule);
  if (request.sampler.empty()) return;
  const bool by_sigma = goes_by_sigma(find_sampler(request.sampler).grid);
  if (!by_sigma && request.schedule != "discrete" && !request.schedule.empty())
    refuse("schedule", "'" + request.schedule + "'", "discrete with the sampler " + request.sampler);
}

void check_noise(const Request& request) {
  if (request.noise.empty()) return;
  const auto quoted = "'" + request.noise + "'";
  if (request.noise != "generator" && request.noise != "brownian") refuse("noise", quoted, "generator or brownian");
  if (request.sampler.empty()) return;
  const auto& known = find_sampler(request.sampler).noise;
  if (std::find(known.begin(), known.end(), request.noise) == known.end())
    refuse("noise", quoted,
           "generator with the sampler " + request.sampler + " (dpm++sde, dpm++2m_sde and dpm++3m_sde take brownian)");
}

void check_multistep_start(const Request& request) {
  const auto& start = request.multistep_start;
  if (start != "fresh" && start != "diffusers") refuse("multistep start", "'" + start + "'", "fresh or diffusers");
  if (start == "fresh" || request.sampler.empty() || request.sampler == "pndm" || request.sampler == "lms") return;
  refuse("multistep start", "'diffusers'", "fresh with the sampler " + request.sampler + " (pndm and lms take both)");
}

void check_prompt_syntax(const std::string& syntax) {
  if (!syntax.empty() && syntax != "a1111" && syntax != "plain")
    refuse("prompt syntax", "'" + syntax + "'", "a1111 or plain");
}

void check_cfg_plus_plus(const Request& request) {
  if (!(request.guidance_scale >= 0 && request.guidance_scale <= 1))
    refuse("guidance scale", number_text(request.guidance_scale), "0 to 1 with cfg++");
  if (request.pag_scale > 0) refuse("pag scale", number_text(request.pag_scale), "0 with cfg++");
  if (request.sag_scale > 0) refuse("sag scale", number_text(request.sag_scale), "0 with cfg++");
  if (request.sampler.empty()) return;
  const auto sample = find_sampler(request.sampler).sample;
  if (sample != sample_ddim && sample != sample_euler && sample != sample_euler_ancestral)
    refuse("guidance", "'cfg++'", "cfg with the sampler " + request.sampler + " (ddim, euler and euler_a take cfg++)");
}

void check_guidance(const Request& request) {
  check_range("guidance scale", request.guidance_scale, kLargestGuidance);
  check_range("guidance rescale", request.guidance_rescale, 1);
  check_range("guidance start", request.guidance_start, 1);
  check_range("guidance end", request.guidance_end, 1);
  check_range("pag scale", request.pag_scale, kLargestGuidance);
  check_range("pag adaptive scale", request.pag_adaptive_scale, kLargestGuidance);
  check_range("sag scale", request.sag_scale, kLargestGuidance);
  if (!(request.image_guidance_scale >= 1 && request.image_guidance_scale <= kLargestGuidance))
    refuse("image guidance scale", number_text(request.image_guidance_scale), "1 to 1000");
  // The blurred images are evaluated without the prompt, and in guess mode ControlNets affect the prompt's rows only.
  if (request.sag_scale > 0 && request.control_guess)
    refuse("sag scale", number_text(request.sag_scale), "0 with control guess");
  if (request.pag_layers.empty()) refuse("pag layers", "''", "a part of a layer's name, as mid");
  check_range("dynamic threshold", request.dynamic_threshold, 1);
  if (!(request.dynamic_threshold_max >= 1 && request.dynamic_threshold_max <= kLargestGuidance))
    refuse("dynamic threshold max", number_text(request.dynamic_threshold_max), "1 to 1000");
  if (request.guidance == "cfg++") return check_cfg_plus_plus(request);
  if (request.guidance != "cfg") refuse("guidance", "'" + request.guidance + "'", "cfg or cfg++");
}

void check_clip_skip(std::int64_t value, std::int64_t layers) {
  if (layers == 0) refuse("clip skip", std::to_string(value), "1 with this model, whose text encoder is no CLIP");
  check_count("clip skip", value, layers);
}

void check_pixels(std::string name, std::int64_t value) {
  std::replace(name.begin(), name.end(), '_', ' ');
  if (value < 0 || value > kLargestSide) refuse(name, std::to_string(value), "0 to " + std::to_string(kLargestSide));
}

void check_refiner(const Request::Refiner& refiner) {
  if (!refiner.is_on()) return;
  check_text("refiner", refiner.model);
  if (!(refiner.switch_at > 0 && refiner.switch_at < 1))
    refuse("refiner switch at", number_text(refiner.switch_at), "a number above 0 and below 1");
}

void check_hires(const Request& request, const ModelLimits& limits) {
  const auto& hires = request.hires;
  if (!hires.is_on()) return;
  if (hires.scale != 0 && !(hires.scale >= 1 && hires.scale <= kLargestScale))
    refuse("hires scale", number_text(hires.scale), "1 to " + number_text(kLargestScale));
  if (hires.scale != 0 && (hires.width != 0 || hires.height != 0))
    refuse("hires scale", number_text(hires.scale), "a scale or a size, not both");
  check_side("hires width", hires.width, limits.vae_scale_factor);
  check_side("hires height", hires.height, limits.vae_scale_factor);
  if (hires.steps != 0) check_count("hires steps", hires.steps, limits.num_train_timesteps);
  check_range("hires strength", hires.strength, 1);
  const auto steps = static_cast<double>(hires.steps != 0 ? hires.steps : request.steps);
  const double least = steps / static_cast<double>(limits.num_train_timesteps);
  if (hires.strength > 0 && hires.strength < least)
    refuse("hires strength", number_text(hires.strength), "0, or at least " + number_text(least) + " for its steps");
  find_upscaler(hires.upscaler);
}

}  // namespace

void validate(const Request& request, const ModelLimits& limits) {
  validate_prompts(request);
  check_prompt_syntax(request.prompt_syntax);
  check_side("width", request.width, limits.vae_scale_factor);
  check_side("height", request.height, limits.vae_scale_factor);
  check_count("steps", request.steps, limits.num_train_timesteps);
  check_guidance(request);
  check_schedule(request);
  if (request.clip_skip != 1) check_clip_skip(request.clip_skip, limits.clip_layers);
  for (const auto& [key, member] : kSizeConditions) check_pixels(key, request.*member);
  if (request.eta != Request::kOwnEta) check_range("eta", request.eta, 1);
  check_range("subseed strength", request.subseed_strength, 1);
  parse_rng(request.rng);
  check_noise(request);
  check_multistep_start(request);
  validate_batch_count(request);
  check_range("strength", request.strength, 1);
  check_range("mask blur", request.inpaint.mask_blur, kLargestBlur);
  check_pixels("mask padding", request.inpaint.mask_padding);
  for (const auto& unit : request.controls) validate(unit);
  check_refiner(request.refiner);
  validate_clip_guidance(request, limits.noised_clip);
  check_hires(request, limits);
}

void validate_prompts(const Request& request) {
  check_text("prompt", request.prompt);
  if (request.negative_prompt) check_text("negative prompt", *request.negative_prompt);
}

void validate_clip_guidance(const Request& request, bool noised) {
  constexpr double kLargestClipGuidance = 1e6;
  const auto& clip = request.clip_guidance;
  if (clip.scale == 0) return;
  check_text("clip model", clip.model);
  if (!(clip.scale > 0 && clip.scale <= kLargestClipGuidance))
    refuse("clip guidance", number_text(clip.scale), "0, or a number above it up to 1000000");
  if (clip.model.empty()) refuse("clip guidance", number_text(clip.scale), "a clip model with it");
  if (noised && request.hires.is_on() && request.hires.scale != 1)
    refuse("clip model",
           "'" + clip.model + "' is noised and takes latents of one size, but the second pass has another",
           "a CLIP that is not noised, or no hires scale, hires width and hires height");
}

Request part_of_batch(Request request, std::int64_t first, std::int64_t count) {
  (request.subseed_strength > 0 ? request.subseed : request.seed) += static_cast<std::uint64_t>(first);
  request.batch_count = count;
  return request;
}

void validate_batch_count(const Request& request) {
  check_count("batch count", request.batch_count, kLargestBatch);
}

std::uint64_t parse_seed(const std::string& text) {
  std::uint64_t seed = 0;
  const auto end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, seed);
  if (error != std::errc() || stopped != end || text.empty())
    refuse("seed", "'" + text + "'", "a whole number from 0 to 18446744073709551615");
  return seed;
}

}  // namespace sfumato
