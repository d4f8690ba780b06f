#include "systems/stable_diffusion/json_members.h"
#include "systems/stable_diffusion/request.h"
#include "systems/stable_diffusion/request_sizes.h"

namespace sfumato {
namespace {

constexpr JsonMember<Request> kUsual[] = {{"width", &Request::width},
                                          {"height", &Request::height},
                                          {"steps", &Request::steps},
                                          {"guidance_scale", &Request::guidance_scale},
                                          {"guidance_rescale", &Request::guidance_rescale},
                                          {"sampler", &Request::sampler},
                                          {"schedule", &Request::schedule},
                                          {"eta", &Request::eta},
                                          {"seed", &Request::seed},
                                          {"batch_count", &Request::batch_count}};

/// Rarely used members, written only if they are set.
constexpr JsonMember<Request> kRare[] = {{"clip_skip", &Request::clip_skip},
                                         {"guidance_start", &Request::guidance_start},
                                         {"guidance_end", &Request::guidance_end},
                                         {"pag_scale", &Request::pag_scale},
                                         {"pag_adaptive_scale", &Request::pag_adaptive_scale},
                                         {"sag_scale", &Request::sag_scale},
                                         {"image_guidance_scale", &Request::image_guidance_scale},
                                         {"dynamic_threshold", &Request::dynamic_threshold},
                                         {"dynamic_threshold_max", &Request::dynamic_threshold_max},
                                         {"guidance", &Request::guidance},
                                         {"pag_layers", &Request::pag_layers},
                                         {"subseed", &Request::subseed},
                                         {"subseed_strength", &Request::subseed_strength},
                                         {"tiling", &Request::tiling},
                                         {"rng", &Request::rng},
                                         {"noise", &Request::noise},
                                         {"multistep_start", &Request::multistep_start},
                                         {"control_guess", &Request::control_guess}};

constexpr JsonMember<Request::Inpaint> kInpaint[] = {{"mask", &Request::Inpaint::mask},
                                                     {"mask_blur", &Request::Inpaint::mask_blur},
                                                     {"invert_mask", &Request::Inpaint::invert_mask},
                                                     {"only_masked", &Request::Inpaint::only_masked},
                                                     {"mask_padding", &Request::Inpaint::mask_padding},
                                                     {"paste", &Request::Inpaint::paste}};

constexpr JsonMember<Request::Hires> kHires[] = {
    {"scale", &Request::Hires::scale},       {"width", &Request::Hires::width},
    {"height", &Request::Hires::height},     {"steps", &Request::Hires::steps},
    {"strength", &Request::Hires::strength}, {"upscaler", &Request::Hires::upscaler}};

constexpr JsonMember<Request::Refiner> kRefiner[] = {{"model", &Request::Refiner::model},
                                                     {"switch_at", &Request::Refiner::switch_at}};

constexpr JsonMember<Request::ClipGuidance> kClipGuidance[] = {{"model", &Request::ClipGuidance::model},
                                                               {"scale", &Request::ClipGuidance::scale}};

std::vector<std::string> known_keys() {
  std::vector<std::string> keys = {"prompt",  "negative_prompt", "prompt_syntax", "image", "strength",
                                   "inpaint", "controls",        "refiner",       "hires", "clip_guidance"};
  add_keys(keys, kUsual);
  add_keys(keys, kRare);
  add_keys(keys, kSizeConditions);
  return keys;
}

}  // namespace

nlohmann::ordered_json to_json(const Request& request) {
  nlohmann::ordered_json json = {{"prompt", request.prompt}};
  if (request.negative_prompt) json["negative_prompt"] = *request.negative_prompt;
  if (!request.prompt_syntax.empty()) json["prompt_syntax"] = request.prompt_syntax;
  for (const auto& member : kUsual) write_member(json, member, request);
  for (const auto& member : kRare)
    if (!is_default(member, request)) write_member(json, member, request);
  for (const auto& [key, member] : kSizeConditions)
    if (request.*member != 0) json[key] = request.*member;
  if (!request.image.empty()) {
    json["image"] = request.image;
    json["strength"] = request.strength;
  }
  if (!request.inpaint.mask.empty()) json["inpaint"] = write_group(kInpaint, request.inpaint);
  for (const auto& unit : request.controls) json["controls"].push_back(to_json(unit));
  if (request.refiner.is_on()) json["refiner"] = write_group(kRefiner, request.refiner);
  if (request.clip_guidance.is_on()) json["clip_guidance"] = write_group(kClipGuidance, request.clip_guidance);
  if (request.hires.is_on()) json["hires"] = write_group(kHires, request.hires);
  return json;
}

Request request_from_json(const Json& json) {
  refuse_unknown_keys(json, known_keys(), "request");
  Request request;
  read_member(json, "prompt", request.prompt);
  if (const auto text = json.find("negative_prompt"); text != json.end() && !text->is_null())
    request.negative_prompt = value_or(json, "negative_prompt", std::string());
  read_member(json, "prompt_syntax", request.prompt_syntax);
  for (const auto& member : kUsual) read_member(json, member, request);
  for (const auto& member : kRare) read_member(json, member, request);
  for (const auto& [key, member] : kSizeConditions) read_member(json, key, request.*member);
  read_member(json, "image", request.image);
  read_member(json, "strength", request.strength);
  read_group(json, "inpaint", kInpaint, request.inpaint);
  for (const auto& unit : value_or(json, "controls", std::vector<Json>()))
    request.controls.push_back(control_unit_from_json(unit));
  read_group(json, "refiner", kRefiner, request.refiner);
  read_group(json, "clip_guidance", kClipGuidance, request.clip_guidance);
  read_group(json, "hires", kHires, request.hires);
  return request;
}

}  // namespace sfumato
