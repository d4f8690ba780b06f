#include <stdexcept>

#include "pipelines/request.h"
#include "pipelines/request_sizes.h"

namespace sfumato {
namespace {

/// What is rarely set of guidance.
constexpr std::pair<const char*, double Request::*> kGuidanceNumbers[] = {
    {"guidance_start", &Request::guidance_start},
    {"guidance_end", &Request::guidance_end},
    {"pag_scale", &Request::pag_scale},
    {"pag_adaptive_scale", &Request::pag_adaptive_scale},
    {"sag_scale", &Request::sag_scale},
    {"dynamic_threshold", &Request::dynamic_threshold},
    {"dynamic_threshold_max", &Request::dynamic_threshold_max}};
constexpr std::pair<const char*, std::string Request::*> kRareNames[] = {
    {"guidance", &Request::guidance}, {"pag_layers", &Request::pag_layers}, {"rng", &Request::rng}};

/// Whole and not negative: nlohmann_json would cut 2.7 to 2 and wrap -1.
template <class Integer>
Integer whole_or(const Json& json, const std::string& key, Integer fallback) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return fallback;
  if (!found->is_number_unsigned())
    throw std::invalid_argument(key + " " + found->dump() + ": expected a whole number that is not negative");
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
                       "sag_scale",
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

}  // namespace sfumato
