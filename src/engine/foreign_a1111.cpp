#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

#include "engine/foreign_programs.h"
#include "systems/stable_diffusion/upscalers.h"

namespace sfumato {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

std::string trimmed_text(const std::string& text) {
  const auto first = text.find_first_not_of(" \r\n\t");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \r\n\t") - first + 1);
}

/// Parses `KEY: VALUE, KEY: "VALUE, WITH COMMAS"`; quoted values are JSON's.
Settings parse_settings(const std::string& line) {
  Settings settings;
  for (std::size_t at = 0; at < line.size();) {
    const auto colon = line.find(':', at);
    if (colon == std::string::npos) break;
    const auto key = trimmed_text(line.substr(at, colon - at));
    auto begin = std::min(line.find_first_not_of(' ', colon + 1), line.size());
    auto end = std::min(line.find(',', begin), line.size());
    auto value = trimmed_text(line.substr(begin, end - begin));
    if (begin < line.size() && line[begin] == '"') {
      auto close = begin + 1;
      while (close < line.size() && line[close] != '"') close += line[close] == '\\' ? 2 : 1;
      close = std::min(close, line.size() - 1);
      const auto quoted = line.substr(begin, close + 1 - begin);
      const auto json = Json::parse(quoted, nullptr, /*allow_exceptions=*/false);
      value = json.is_string() ? json.get<std::string>() : quoted;
      end = std::min(line.find(',', close), line.size());
    }
    settings.emplace_back(key, value);
    at = end + 1;
  }
  return settings;
}

template <class Number>
Number number_in(const std::string& key, const std::string& text) {
  Number value{};
  const auto* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stopped != end)
    throw std::runtime_error(key + " '" + text + "' in the image's parameters: expected a number");
  return value;
}

/// Returns the schedule that the web UI's "Automatic" selects for these samplers.
std::string automatic_schedule(const std::string& sampler) {
  static const std::map<std::string, std::string> schedules = {
      {"dpm++2m", "karras"}, {"dpm++sde", "karras"},         {"dpm++2s_a", "karras"},       {"dpm2", "karras"},
      {"dpm2_a", "karras"},  {"dpm++2m_sde", "exponential"}, {"dpm++3m_sde", "exponential"}};
  const auto found = schedules.find(sampler);
  return found == schedules.end() ? "" : found->second;
}

void set_size(const std::string& key, const std::string& text, std::int64_t& width, std::int64_t& height) {
  const auto x = std::min(text.find('x'), text.size() - 1);
  width = number_in<std::int64_t>(key, text.substr(0, x));
  height = number_in<std::int64_t>(key, text.substr(x + 1));
}

void set_upscaler(const std::string& label, ForeignRecord& record) {
  for (const auto& upscaler : upscalers())
    if (upscaler.label == label) return void(record.request.hires.upscaler = upscaler.name);
  record.notes.push_back("Hires upscaler: " + label + " (latent is taken)");
}

/// Sets one of the request's members. Returns false for a key that has none.
bool take_setting(const std::string& key, const std::string& value, ForeignRecord& record) {
  auto& request = record.request;
  const std::map<std::string, double*> numbers = {{"CFG scale", &request.guidance_scale},
                                                  {"Eta", &request.eta},
                                                  {"Eta DDIM", &request.eta},
                                                  {"Variation seed strength", &request.subseed_strength},
                                                  {"CFG Rescale phi", &request.guidance_rescale},
                                                  {"Mask blur", &request.inpaint.mask_blur},
                                                  {"Hires upscale", &request.hires.scale}};
  const std::map<std::string, std::int64_t*> counts = {{"Steps", &request.steps},
                                                       {"Clip skip", &request.clip_skip},
                                                       {"Hires steps", &request.hires.steps},
                                                       {"Masked area padding", &request.inpaint.mask_padding}};
  if (const auto found = numbers.find(key); found != numbers.end())
    *found->second = number_in<double>(key, value);
  else if (const auto count = counts.find(key); count != counts.end())
    *count->second = number_in<std::int64_t>(key, value);
  else if (key == "Seed" || key == "Variation seed")
    (key == "Seed" ? request.seed : request.subseed) = number_in<std::uint64_t>(key, value);
  else if (key == "Size")
    set_size(key, value, request.width, request.height);
  else if (key == "Hires resize")
    set_size(key, value, request.hires.width, request.hires.height);
  else if (key == "Hires upscaler")
    set_upscaler(value, record);
  else if (key == "Denoising strength")
    request.strength = request.hires.strength = number_in<double>(key, value);
  else if (key == "Sampler")
    set_foreign_sampler(value, record);
  else if (key == "Model")
    record.model = value;
  else if (key == "RNG")
    request.rng = value == "CPU" ? "cpu" : "cuda";
  else if (key == "Tiling")
    request.tiling = value == "True";
  else if (key == "Mask mode")
    request.inpaint.invert_mask = value == "Inpaint not masked";
  else if (key == "Inpaint area")
    request.inpaint.only_masked = value == "Only masked";
  else
    return false;
  return true;
}

/// True for keys that do not affect the pixels or are read elsewhere.
bool changes_nothing(const std::string& key) {
  static const std::set<std::string> keys = {"Version",   "Model hash",        "VAE hash",    "Lora hashes",
                                             "TI hashes", "Schedule type",     "Hashes",      "User",
                                             "Template",  "Negative Template", "Refiner hash"};
  return keys.contains(key);
}

void take_settings(const Settings& settings, ForeignRecord& record) {
  record.request.rng = "cuda";  // the web UI's default, which it does not record
  std::string schedule;
  bool has_strength = false;
  for (const auto& [key, value] : settings) {
    if (key == "Schedule type") schedule = value;
    has_strength = has_strength || key == "Denoising strength";
    if (key == "Version" && value.starts_with("f")) record.program = "Forge";
    if (!take_setting(key, value, record) && !changes_nothing(key)) record.notes.push_back(key + ": " + value);
  }
  if (schedule == "Automatic")
    record.request.schedule = automatic_schedule(record.request.sampler);
  else if (!schedule.empty())
    set_foreign_schedule(schedule, record);
  if (has_strength && !record.request.hires.is_on())
    record.notes.emplace_back("the image that it was made from: img2img and inpaint take one with -i");
}

}  // namespace

ForeignRecord read_a1111(const std::string& parameters) {
  ForeignRecord record{.program = "AUTOMATIC1111's web UI"};
  std::istringstream lines(parameters);
  std::string text[2];
  int part = 0;
  Settings settings;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Steps: ")) {
      settings = parse_settings(line);
      continue;
    }
    if (!settings.empty()) {  // written by extensions below the settings
      for (const auto& entry : parse_settings(line)) settings.push_back(entry);
      continue;
    }
    if (part == 0 && line.starts_with("Negative prompt:")) {
      part = 1;
      line = line.substr(16);
    }
    text[part] += line + "\n";
  }
  record.request.prompt = trimmed_text(text[0]);
  if (part == 1) record.request.negative_prompt = trimmed_text(text[1]);
  record.request.prompt_syntax = "a1111";
  take_settings(settings, record);
  return record;
}

}  // namespace sfumato
