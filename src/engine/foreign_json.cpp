#include <charconv>
#include <regex>
#include <stdexcept>

#include "engine/foreign_programs.h"

namespace sfumato {
namespace {

template <class Value>
void take(const Json& settings, const std::string& key, Value& value) {
  const auto found = settings.find(key);
  if (found != settings.end() && !found->is_null()) value = found->get<Value>();
}

/// Returns "name" of {"name", "key", ...} or of {"model_name"}, or a plain name.
std::string name_in(const Json& model) {
  if (model.is_string()) return model.get<std::string>();
  for (const char* key : {"name", "model_name"})
    if (model.is_object() && model.contains(key)) return model.at(key).get<std::string>();
  return "";
}

void take_invokeai_loras(const Json& metadata, ForeignRecord& record) {
  for (const auto& lora : metadata.value("loras", Json::array())) {
    const auto weight = lora.at("weight").get<double>();
    add_foreign_lora(name_in(lora.contains("model") ? lora.at("model") : lora.at("lora")), weight, weight, record);
  }
}

/// Reads "(1152, 896)" or "1152x896".
void take_resolution(const std::string& text, Request& request) {
  static const std::regex pattern(R"(\D*(\d+)\D+(\d+)\D*)");
  std::smatch match;
  if (!std::regex_match(text, match, pattern))
    throw std::runtime_error("resolution '" + text + "': expected two numbers");
  request.width = std::stoll(match[1]);
  request.height = std::stoll(match[2]);
}

/// Reads [["name", 0.5]] or, from older versions, "lora_combined_1": "name : 0.5".
void take_fooocus_loras(const Json& metadata, ForeignRecord& record) {
  for (const auto& lora : metadata.value("loras", Json::array()))
    add_foreign_lora(lora.at(0).get<std::string>(), lora.at(1).get<double>(), lora.at(1).get<double>(), record);
  for (const auto& [key, value] : metadata.items()) {
    if (!key.starts_with("lora_combined_")) continue;
    const auto text = value.get<std::string>();
    const auto colon = text.rfind(" : ");
    double weight = 1;
    if (colon == std::string::npos ||
        std::from_chars(text.data() + colon + 3, text.data() + text.size(), weight).ec != std::errc())
      throw std::runtime_error("'" + text + "' in Fooocus' metadata: expected NAME : WEIGHT");
    add_foreign_lora(text.substr(0, colon), weight, weight, record);
  }
}

/// Converts NovelAI's syntax: {x} weighs 1.05 times as much, [x] 1/1.05 times; round brackets are ordinary letters.
std::string from_novelai(const std::string& prompt) {
  std::string text;
  for (const char c : prompt) {
    if (c == '{' || c == '[')
      text += '(';
    else if (c == '}')
      text += ":1.05)";
    else if (c == ']')
      text += ":0.952381)";
    else
      text += c == '(' || c == ')' ? std::string("\\") + c : std::string(1, c);
  }
  return text;
}

}  // namespace

ForeignRecord read_invokeai(const Json& metadata) {
  ForeignRecord record{.program = "InvokeAI"};
  auto& request = record.request;
  request.prompt_syntax = "a1111";
  take(metadata, "positive_prompt", request.prompt);
  request.negative_prompt = metadata.value("negative_prompt", "");
  take(metadata, "width", request.width);
  take(metadata, "height", request.height);
  take(metadata, "seed", request.seed);
  take(metadata, "steps", request.steps);
  take(metadata, "cfg_scale", request.guidance_scale);
  take(metadata, "cfg_rescale_multiplier", request.guidance_rescale);
  take(metadata, "strength", request.strength);
  request.clip_skip = 1 + metadata.value("clip_skip", Json(0)).get<std::int64_t>();  // counts the omitted layers
  if (metadata.value("rand_device", "cpu") != "cpu") request.rng = "cuda";
  const bool x = metadata.value("seamless_x", false), y = metadata.value("seamless_y", false);
  request.tiling = x && y;
  if (x != y) record.notes.emplace_back("seamless along one axis alone");
  if (metadata.contains("scheduler")) set_foreign_sampler(metadata.at("scheduler").get<std::string>(), record);
  if (metadata.contains("model")) record.model = name_in(metadata.at("model"));
  static const std::regex compel(R"([+]{1,}(\s|,|$)|-{2,}(\s|,|$)|\)[+-]|\)\d|\.and\(|\.blend\()");
  if (std::regex_search(request.prompt + "\n" + *request.negative_prompt, compel))
    record.notes.emplace_back("weights in InvokeAI's syntax, as word++ and (words)1.2, which are words here");
  take_invokeai_loras(metadata, record);
  note_other_keys(metadata,
                  {"positive_prompt",
                   "negative_prompt",
                   "width",
                   "height",
                   "seed",
                   "steps",
                   "cfg_scale",
                   "cfg_rescale_multiplier",
                   "strength",
                   "clip_skip",
                   "rand_device",
                   "seamless_x",
                   "seamless_y",
                   "scheduler",
                   "model",
                   "loras",
                   "app_version",
                   "generation_mode",
                   "positive_style_prompt",
                   "negative_style_prompt",
                   "ref_images",
                   "canvas_v2_metadata"},
                  record);
  return record;
}

ForeignRecord read_fooocus(const Json& metadata) {
  ForeignRecord record{.program = "Fooocus"};
  auto& request = record.request;
  request.prompt_syntax = "a1111";
  const bool is_expanded = metadata.contains("full_prompt") && metadata.at("full_prompt").is_array();
  const auto prompt_of = [&](const std::string& whole, const std::string& own) -> std::string {
    if (!is_expanded || !metadata.contains(whole)) return metadata.value(own, "");
    std::string text;
    for (const auto& part : metadata.at(whole)) text += (text.empty() ? "" : ", ") + part.get<std::string>();
    return text;
  };
  request.prompt = prompt_of("full_prompt", "prompt");
  request.negative_prompt = prompt_of("full_negative_prompt", "negative_prompt");
  take(metadata, "steps", request.steps);
  take(metadata, "guidance_scale", request.guidance_scale);
  take(metadata, "clip_skip", request.clip_skip);
  if (metadata.contains("seed")) {
    const auto& seed = metadata.at("seed");
    request.seed = seed.is_string() ? parse_seed(seed.get<std::string>()) : seed.get<std::uint64_t>();
  }
  if (metadata.contains("resolution")) take_resolution(metadata.at("resolution").get<std::string>(), request);
  if (metadata.contains("sampler")) set_foreign_sampler(metadata.at("sampler").get<std::string>(), record);
  if (metadata.contains("scheduler")) set_foreign_schedule(metadata.at("scheduler").get<std::string>(), record);
  take(metadata, "base_model", record.model);
  take_fooocus_loras(metadata, record);
  Json others = metadata;
  for (const auto& [key, value] : metadata.items())
    if (key.starts_with("lora_combined_") || value == "None" || value == "Default (model)") others.erase(key);
  std::vector<std::string> known = {"prompt",          "negative_prompt",  "full_prompt", "full_negative_prompt",
                                    "steps",           "guidance_scale",   "clip_skip",   "seed",
                                    "resolution",      "sampler",          "scheduler",   "base_model",
                                    "loras",           "version",          "created_by",  "metadata_scheme",
                                    "base_model_hash", "prompt_expansion", "performance"};
  if (is_expanded) known.emplace_back("styles");
  note_other_keys(others, known, record);
  return record;
}

ForeignRecord read_novelai(const Json& comment, const std::string& description) {
  ForeignRecord record{.program = "NovelAI"};
  auto& request = record.request;
  request.prompt_syntax = "a1111";
  request.prompt = from_novelai(comment.value("prompt", description));
  request.negative_prompt = from_novelai(comment.value("uc", ""));
  if (static const std::regex numbers(R"(\d::)"); std::regex_search(request.prompt, numbers))
    record.notes.emplace_back("weights as 1.5::words::, which are words here");
  take(comment, "width", request.width);
  take(comment, "height", request.height);
  take(comment, "seed", request.seed);
  take(comment, "steps", request.steps);
  take(comment, "scale", request.guidance_scale);
  take(comment, "cfg_rescale", request.guidance_rescale);
  take(comment, "strength", request.strength);
  if (comment.contains("sampler")) set_foreign_sampler(comment.at("sampler").get<std::string>(), record);
  if (comment.contains("noise_schedule")) set_foreign_schedule(comment.at("noise_schedule").get<std::string>(), record);
  record.notes.emplace_back("NovelAI's model");
  note_other_keys(comment,
                  {"prompt",
                   "uc",
                   "width",
                   "height",
                   "seed",
                   "steps",
                   "scale",
                   "cfg_rescale",
                   "strength",
                   "sampler",
                   "noise_schedule",
                   "n_samples",
                   "signed_hash",
                   "request_type",
                   "version",
                   "uncond_scale",
                   "v4_prompt",
                   "v4_negative_prompt",
                   "lora_clip_weights",
                   "lora_unet_weights",
                   "legacy_v3_extend"},
                  record);
  return record;
}

}  // namespace sfumato
