#include "pipelines/request.h"

#include <charconv>
#include <cmath>
#include <stdexcept>

#include "diffusion/samplers.h"
#include "diffusion/sigma_schedules.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

constexpr std::int64_t kLargestSide = 16384;
constexpr std::int64_t kLargestBatch = 10000;
constexpr double kLargestGuidance = 1000;

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

/// Whole and not negative: nlohmann_json would cut 2.7 to 2 and wrap -1.
template <class Integer>
Integer whole_or(const Json& json, const std::string& key, Integer fallback) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return fallback;
  if (!found->is_number_unsigned()) refuse(key, found->dump(), "a whole number that is not negative");
  return found->template get<Integer>();
}

}  // namespace

nlohmann::ordered_json to_json(const Request& request) {
  nlohmann::ordered_json json = {
      {"prompt", request.prompt},
      {"negative_prompt", request.negative_prompt},
      {"width", request.width},
      {"height", request.height},
      {"steps", request.steps},
      {"guidance_scale", request.guidance_scale},
      {"guidance_rescale", request.guidance_rescale},
      {"sampler", request.sampler},
      {"schedule", request.schedule},
      {"eta", request.eta},
      {"seed", request.seed},
      {"batch_count", request.batch_count},
  };
  if (!request.image.empty()) {
    json["image"] = request.image;
    json["strength"] = request.strength;
  }
  return json;
}

Request request_from_json(const Json& json) {
  refuse_unknown_keys(json,
                      {"prompt", "negative_prompt", "width", "height", "steps", "guidance_scale", "guidance_rescale",
                       "sampler", "schedule", "eta", "seed", "batch_count", "image", "strength"},
                      "request");
  Request request;
  request.prompt = value_or(json, "prompt", request.prompt);
  request.negative_prompt = value_or(json, "negative_prompt", request.negative_prompt);
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
  return request;
}

void validate(const Request& request, const ModelLimits& limits) {
  check_text("prompt", request.prompt);
  check_text("negative prompt", request.negative_prompt);
  check_side("width", request.width, limits.vae_scale_factor);
  check_side("height", request.height, limits.vae_scale_factor);
  check_count("steps", request.steps, limits.num_train_timesteps);
  check_range("guidance scale", request.guidance_scale, kLargestGuidance);
  check_range("guidance rescale", request.guidance_rescale, 1);
  check_schedule(request);
  check_range("eta", request.eta, 1);
  validate_batch_count(request);
  check_range("strength", request.strength, 1);
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
