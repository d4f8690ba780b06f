#pragma once

#include <string>

#include "core/json.h"

namespace sfumato {

/// A ControlNet that a request asks for, and what it is shown. Names of keys in JSON are the members'.
struct ControlUnit {
  /// A folder or a file (systems/stable_diffusion/controlnet.h).
  std::string model{};
  /// Path of the picture.
  std::string image{};
  /// What is made of the picture first: "" nothing, "canny" its edges.
  std::string preprocess{};
  /// By how much its residuals are multiplied (controlnet_conditioning_scale), 0 to 10.
  double scale = 1;
  /// It takes part in step i of n where start <= i / n and (i + 1) / n <= end (control_guidance_start and _end).
  double start = 0, end = 1;

  bool operator==(const ControlUnit&) const = default;
};

nlohmann::ordered_json to_json(const ControlUnit& unit);

/// Missing keys keep their defaults. Throws std::invalid_argument for an unknown key or a value of another type.
ControlUnit control_unit_from_json(const Json& json);

/// Throws std::invalid_argument that names the value and what was expected.
void validate(const ControlUnit& unit);

}  // namespace sfumato
