#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"

namespace sfumato {

/// What a picture is made from: the one form of a request for the command line, the server, a picture's metadata and
/// the tests. Names of keys in JSON are the members'.
struct Request {
  std::string prompt{};
  std::string negative_prompt{};
  /// Pixels; 0 takes the model's own size (text to image) or the initial image's (image to image).
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t steps = 25;
  /// Classifier-free guidance (Ho & Salimans 2022, diffusers' guidance_scale); 1 or less is without.
  double guidance_scale = 7.5;
  /// Lin et al. 2023, section 3.4, 0 to 1.
  double guidance_rescale = 0;
  /// A name of samplers() (diffusion/samplers.h); "" takes the model's own.
  std::string sampler{};
  /// How the levels lie between noise and picture: "discrete", as the model's timestep_spacing says, or for the
  /// samplers that go by sigma another name of sigma_schedules() (diffusion/sigma_schedules.h); "" takes the model's
  /// own.
  std::string schedule{};
  /// DDIM's eta, 0 to 1; other samplers ignore it.
  double eta = 0;
  /// Image k of the batch has seed + k.
  std::uint64_t seed = 0;
  std::int64_t batch_count = 1;
  /// Path of the initial image; "" is text to image.
  std::string image{};
  /// How much of the initial image is made anew, 0 to 1.
  double strength = 0.8;

  bool operator==(const Request&) const = default;
};

/// What a model can do, against which a request is validated.
struct ModelLimits {
  std::int64_t num_train_timesteps = 1000;
  /// Width and height are multiples of this.
  std::int64_t vae_scale_factor = 8;
};

/// All members, in their order; those of the initial image only where there is one.
nlohmann::ordered_json to_json(const Request& request);

/// Missing keys keep their defaults. Throws std::invalid_argument for an unknown key or a value of another type.
Request request_from_json(const Json& json);

/// Throws std::invalid_argument that names the value and what was expected.
void validate(const Request& request, const ModelLimits& limits);

/// validate's check of batch_count alone, which needs no model.
void validate_batch_count(const Request& request);

/// A seed as a user writes it: a whole number from 0 to 2^64 - 1. Throws std::invalid_argument.
std::uint64_t parse_seed(const std::string& text);

}  // namespace sfumato
