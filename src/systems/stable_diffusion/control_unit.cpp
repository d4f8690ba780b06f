#include "systems/stable_diffusion/control_unit.h"

#include <stdexcept>

#include "core/number_text.h"

namespace sfumato {
namespace {

constexpr double kLargestControlScale = 10;

[[noreturn]] void refuse_unit(const std::string& name, const std::string& value, const std::string& expected) {
  throw std::invalid_argument("control " + name + " " + value + ": expected " + expected);
}

void check_unit_range(const std::string& name, double value, double largest) {
  if (!(value >= 0 && value <= largest))
    refuse_unit(name, number_text(value), "0 to " + std::to_string(static_cast<int>(largest)));
}

}  // namespace

nlohmann::ordered_json to_json(const ControlUnit& unit) {
  nlohmann::ordered_json json = {{"model", unit.model}, {"image", unit.image}};
  if (!unit.preprocess.empty()) json["preprocess"] = unit.preprocess;
  json.update({{"scale", unit.scale}, {"start", unit.start}, {"end", unit.end}});
  return json;
}

ControlUnit control_unit_from_json(const Json& json) {
  refuse_unknown_keys(json, {"model", "image", "preprocess", "scale", "start", "end"}, "control");
  ControlUnit unit;
  unit.model = value_or(json, "model", unit.model);
  unit.image = value_or(json, "image", unit.image);
  unit.preprocess = value_or(json, "preprocess", unit.preprocess);
  unit.scale = value_or(json, "scale", unit.scale);
  unit.start = value_or(json, "start", unit.start);
  unit.end = value_or(json, "end", unit.end);
  return unit;
}

void validate(const ControlUnit& unit) {
  if (unit.model.empty()) refuse_unit("model", "''", "a ControlNet's folder or file");
  if (unit.image.empty()) refuse_unit("image", "''", "a picture's file");
  if (!unit.preprocess.empty() && unit.preprocess != "canny")
    refuse_unit("preprocess", "'" + unit.preprocess + "'", "canny, or none");
  check_unit_range("scale", unit.scale, kLargestControlScale);
  check_unit_range("start", unit.start, 1);
  check_unit_range("end", unit.end, 1);
  if (unit.start >= unit.end)
    refuse_unit("start", number_text(unit.start), "less than its end, " + number_text(unit.end));
}

}  // namespace sfumato
