#include "pipelines/request.h"

#include <charconv>
#include <cmath>
#include <stdexcept>

#include "core/random.h"
#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "pipelines/upscalers.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

constexpr std::int64_t kLargestSide = 16384;
constexpr std::int64_t kLargestBatch = 10000;
constexpr double kLargestGuidance = 1000;
constexpr double kLargestBlur = 1000;
constexpr double kLargestScale = 8;

/// Stable Diffusion XL's, by their keys.
constexpr std::pair<const char*, std::int64_t Request::*> kSizeConditions[] = {
    {"original_width", &Request::original_width},
    {"original_height", &Request::original_height},
    {"crop_left", &Request::crop_left},
    {"crop_top", &Request::crop_top}};

/// What is rarely set of guidance.
constexpr std::pair<const char*, double Request::*> kGuidanceNumbers[] = {
    {"guidance_start", &Request::guidance_start},
    {"guidance_end", &Request::guidance_end},
    {"pag_scale", &Request::pag_scale},
    {"pag_adaptive_scale", &Request::pag_adaptive_scale},
    {"dynamic_threshold", &Request::dynamic_threshold},
    {"dynamic_threshold_max", &Request::dynamic_threshold_max}};
constexpr std::pair<const char*, std::string Request::*> kRareNames[] = {
    {"guidance", &Request::guidance}, {"pag_layers", &Request::pag_layers}, {"rng", &Request::rng}};

[[noreturn]] void refuse(const std::string& name, const std::string& value, const std::string& expected) {
  throw std::invalid_argument(name + " " + value + ": expected " + expected);
}

void check_count(const std::string& name, std::int64_t value, std::int64_t largest) {
  if (value < 1 || value > largest) refuse(name, std::to_string(value), "1 to " + std::to_string(largest));
}

void check_range(const std::string& name, double value, double largest) {
  if (!(value >= 0 && value <= largest)) refuse(name, Json(value).dump(), "0 to " + Json(largest).dump());
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

void check_prompt_syntax(const std::string& syntax) {
  if (!syntax.empty() && syntax != "a1111" && syntax != "plain")
    refuse("prompt syntax", "'" + syntax + "'", "a1111 or plain");
}

void check_cfg_plus_plus(const Request& request) {
  if (!(request.guidance_scale >= 0 && request.guidance_scale <= 1))
    refuse("guidance scale", Json(request.guidance_scale).dump(), "0 to 1 with cfg++");
  if (request.pag_scale > 0) refuse("pag scale", Json(request.pag_scale).dump(), "0 with cfg++");
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
  if (request.pag_layers.empty()) refuse("pag layers", "''", "a part of a layer's name, as mid");
  check_range("dynamic threshold", request.dynamic_threshold, 1);
  if (!(request.dynamic_threshold_max >= 1 && request.dynamic_threshold_max <= kLargestGuidance))
    refuse("dynamic threshold max", Json(request.dynamic_threshold_max).dump(), "1 to 1000");
  if (request.guidance == "cfg++") return check_cfg_plus_plus(request);
  if (request.guidance != "cfg") refuse("guidance", "'" + request.guidance + "'", "cfg or cfg++");
}

void check_clip_skip(std::int64_t value, std::int64_t layers) {
  if (layers == 0) refuse("clip skip", std::to_string(value), "1 with this model, whose text encoder is no CLIP");
  check_count("clip skip", value, layers);
}

void check_pixels(const std::string& name, std::int64_t value) {
  if (value < 0 || value > kLargestSide) refuse(name, std::to_string(value), "0 to " + std::to_string(kLargestSide));
}

void check_hires(const Request& request, const ModelLimits& limits) {
  const auto& hires = request.hires;
  if (!hires.is_on()) return;
  if (hires.scale != 0 && !(hires.scale >= 1 && hires.scale <= kLargestScale))
    refuse("hires scale", Json(hires.scale).dump(), "1 to " + Json(kLargestScale).dump());
  if (hires.scale != 0 && (hires.width != 0 || hires.height != 0))
    refuse("hires scale", Json(hires.scale).dump(), "a scale or a size, not both");
  check_side("hires width", hires.width, limits.vae_scale_factor);
  check_side("hires height", hires.height, limits.vae_scale_factor);
  if (hires.steps != 0) check_count("hires steps", hires.steps, limits.num_train_timesteps);
  check_range("hires strength", hires.strength, 1);
  const auto steps = static_cast<double>(hires.steps != 0 ? hires.steps : request.steps);
  const double least = steps / static_cast<double>(limits.num_train_timesteps);
  if (hires.strength > 0 && hires.strength < least)
    refuse("hires strength", Json(hires.strength).dump(), "0, or at least " + Json(least).dump() + " for its steps");
  find_upscaler(hires.upscaler);
}

/// Whole and not negative: nlohmann_json would cut 2.7 to 2 and wrap -1.
template <class Integer>
Integer whole_or(const Json& json, const std::string& key, Integer fallback) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return fallback;
  if (!found->is_number_unsigned()) refuse(key, found->dump(), "a whole number that is not negative");
  return found->template get<Integer>();
}

nlohmann::ordered_json to_json(const Request::Inpaint& inpaint) {
  return {{"mask", inpaint.mask},
          {"mask_blur", inpaint.mask_blur},
          {"invert_mask", inpaint.invert_mask},
          {"only_masked", inpaint.only_masked},
          {"mask_padding", inpaint.mask_padding},
          {"paste", inpaint.paste}};
}

Request::Inpaint inpaint_from_json(const Json& json) {
  refuse_unknown_keys(json, {"mask", "mask_blur", "invert_mask", "only_masked", "mask_padding", "paste"}, "inpaint");
  Request::Inpaint inpaint;
  inpaint.mask = value_or(json, "mask", inpaint.mask);
  inpaint.mask_blur = value_or(json, "mask_blur", inpaint.mask_blur);
  inpaint.invert_mask = value_or(json, "invert_mask", inpaint.invert_mask);
  inpaint.only_masked = value_or(json, "only_masked", inpaint.only_masked);
  inpaint.mask_padding = whole_or(json, "mask_padding", inpaint.mask_padding);
  inpaint.paste = value_or(json, "paste", inpaint.paste);
  return inpaint;
}

nlohmann::ordered_json to_json(const Request::Hires& hires) {
  return {{"scale", hires.scale}, {"width", hires.width},       {"height", hires.height},
          {"steps", hires.steps}, {"strength", hires.strength}, {"upscaler", hires.upscaler}};
}

Request::Hires hires_from_json(const Json& json) {
  refuse_unknown_keys(json, {"scale", "width", "height", "steps", "strength", "upscaler"}, "hires");
  Request::Hires hires;
  hires.scale = value_or(json, "scale", hires.scale);
  hires.width = whole_or(json, "width", hires.width);
  hires.height = whole_or(json, "height", hires.height);
  hires.steps = whole_or(json, "steps", hires.steps);
  hires.strength = value_or(json, "strength", hires.strength);
  hires.upscaler = value_or(json, "upscaler", hires.upscaler);
  return hires;
}

}  // namespace

nlohmann::ordered_json to_json(const Request& request) {
  nlohmann::ordered_json json = {{"prompt", request.prompt}};
  if (request.negative_prompt) json["negative_prompt"] = *request.negative_prompt;
  if (!request.prompt_syntax.empty()) json["prompt_syntax"] = request.prompt_syntax;
  json.update({{"width", request.width},
               {"height", request.height},
               {"steps", request.steps},
               {"guidance_scale", request.guidance_scale},
               {"guidance_rescale", request.guidance_rescale},
               {"sampler", request.sampler},
               {"schedule", request.schedule},
               {"eta", request.eta},
               {"seed", request.seed},
               {"batch_count", request.batch_count}});
  if (request.clip_skip != 1) json["clip_skip"] = request.clip_skip;
  const Request usual;
  for (const auto& [key, member] : kGuidanceNumbers)
    if (request.*member != usual.*member) json[key] = request.*member;
  for (const auto& [key, member] : kRareNames)
    if (request.*member != usual.*member) json[key] = request.*member;
  for (const auto& [key, member] : kSizeConditions)
    if (request.*member != 0) json[key] = request.*member;
  if (!request.image.empty()) {
    json["image"] = request.image;
    json["strength"] = request.strength;
  }
  if (!request.inpaint.mask.empty()) json["inpaint"] = to_json(request.inpaint);
  for (const auto& unit : request.controls) json["controls"].push_back(to_json(unit));
  if (request.control_guess) json["control_guess"] = true;
  if (request.hires.is_on()) json["hires"] = to_json(request.hires);
  return json;
}

Request request_from_json(const Json& json) {
  refuse_unknown_keys(json,
                      {"prompt",
                       "negative_prompt",
                       "width",
                       "height",
                       "steps",
                       "guidance_scale",
                       "guidance_rescale",
                       "sampler",
                       "schedule",
                       "eta",
                       "seed",
                       "batch_count",
                       "image",
                       "strength",
                       "clip_skip",
                       "original_width",
                       "original_height",
                       "crop_left",
                       "crop_top",
                       "guidance",
                       "guidance_start",
                       "guidance_end",
                       "pag_scale",
                       "pag_adaptive_scale",
                       "pag_layers",
                       "dynamic_threshold",
                       "dynamic_threshold_max",
                       "rng",
                       "prompt_syntax",
                       "inpaint",
                       "controls",
                       "control_guess",
                       "hires"},
                      "request");
  Request request;
  request.prompt = value_or(json, "prompt", request.prompt);
  if (const auto text = json.find("negative_prompt"); text != json.end() && !text->is_null())
    request.negative_prompt = value_or(json, "negative_prompt", std::string());
  request.prompt_syntax = value_or(json, "prompt_syntax", request.prompt_syntax);
  request.width = whole_or(json, "width", request.width);
  request.height = whole_or(json, "height", request.height);
  request.steps = whole_or(json, "steps", request.steps);
  request.guidance_scale = value_or(json, "guidance_scale", request.guidance_scale);
  request.guidance_rescale = value_or(json, "guidance_rescale", request.guidance_rescale);
  request.sampler = value_or(json, "sampler", request.sampler);
  request.schedule = value_or(json, "schedule", request.schedule);
  request.eta = value_or(json, "eta", request.eta);
  request.seed = whole_or(json, "seed", request.seed);
  request.batch_count = whole_or(json, "batch_count", request.batch_count);
  request.image = value_or(json, "image", request.image);
  request.strength = value_or(json, "strength", request.strength);
  request.clip_skip = whole_or(json, "clip_skip", request.clip_skip);
  for (const auto& [key, member] : kSizeConditions) request.*member = whole_or(json, key, request.*member);
  if (const auto inpaint = json.find("inpaint"); inpaint != json.end()) request.inpaint = inpaint_from_json(*inpaint);
  for (const auto& unit : value_or(json, "controls", std::vector<Json>())) {
    request.controls.push_back(control_unit_from_json(unit));
  }
  request.control_guess = value_or(json, "control_guess", request.control_guess);
  if (const auto hires = json.find("hires"); hires != json.end()) request.hires = hires_from_json(*hires);
  for (const auto& [key, member] : kGuidanceNumbers) request.*member = value_or(json, key, request.*member);
  for (const auto& [key, member] : kRareNames) request.*member = value_or(json, key, request.*member);
  return request;
}

void validate(const Request& request, const ModelLimits& limits) {
  check_text("prompt", request.prompt);
  if (request.negative_prompt) check_text("negative prompt", *request.negative_prompt);
  check_prompt_syntax(request.prompt_syntax);
  check_side("width", request.width, limits.vae_scale_factor);
  check_side("height", request.height, limits.vae_scale_factor);
  check_count("steps", request.steps, limits.num_train_timesteps);
  check_guidance(request);
  check_schedule(request);
  if (request.clip_skip != 1) check_clip_skip(request.clip_skip, limits.clip_layers);
  for (const auto& [key, member] : kSizeConditions) check_pixels(key, request.*member);
  check_range("eta", request.eta, 1);
  parse_rng(request.rng);
  validate_batch_count(request);
  check_range("strength", request.strength, 1);
  check_range("mask blur", request.inpaint.mask_blur, kLargestBlur);
  check_pixels("mask padding", request.inpaint.mask_padding);
  for (const auto& unit : request.controls) validate(unit);
  check_hires(request, limits);
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
