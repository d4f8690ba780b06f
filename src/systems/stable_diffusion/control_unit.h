#pragma once

#include <string>

#include "core/json.h"

namespace sfumato {

/// ControlNet of a request, with its input image. Keys in JSON have the names of the members.
struct ControlUnit {
  /// A folder or a file (systems/stable_diffusion/controlnet.h).
  std::string model{};
  /// Path of the image.
  std::string image{};
  /// Preprocessing of the image: "" for none, "canny" for its edges.
  std::string preprocess{};
  /// Factor of its residuals (controlnet_conditioning_scale), 0 to 10.
  double scale = 1;
  /// Active in step i of n if start <= i / n and (i + 1) / n <= end (control_guidance_start and _end).
  double start = 0, end = 1;

  bool operator==(const ControlUnit&) const = default;
};

nlohmann::ordered_json to_json(const ControlUnit& unit);

/// Missing keys keep their defaults. Throws std::invalid_argument for an unknown key or a value of another type.
ControlUnit control_unit_from_json(const Json& json);

/// Throws std::invalid_argument with the value and the expected range.
void validate(const ControlUnit& unit);

}  // namespace sfumato
