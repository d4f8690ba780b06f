#pragma once

#include <algorithm>
#include <cmath>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "checkpoints/safetensors.h"
#include "images/read.h"
#include "parity/compare.h"
#include "systems/stable_diffusion/generate.h"

// What the tests of whole pipelines share: requests of cases.json, and the comparison of every step with the reference.

namespace sfumato {

/// A request, and what the reference made of it: "latents.I" after every step I, and whatever else it wrote.
struct PipelineCase {
  std::string model;
  Request request;
  SafetensorsFile expected;

  std::size_t steps() const {
    const auto is_step = [](const std::string& name) { return name.starts_with("latents."); };
    return static_cast<std::size_t>(std::count_if(expected.names().begin(), expected.names().end(), is_step));
  }
  /// The latents after the last step.
  torch::Tensor last() const { return expected.tensor("latents." + std::to_string(steps() - 1)); }
};

/// The case of that name; its ControlNets and pictures for them lie in the reference's folder.
inline PipelineCase find_case(const std::string& name) {
  for (auto json : read_json(parity_folder() / "cases.json")) {
    if (json.at("name") != name) continue;
    const auto model = json.at("model").get<std::string>();
    json.erase("name");
    json.erase("model");
    auto request = request_from_json(json);
    for (auto& unit : request.controls) {
      unit.model = parity_folder() / unit.model;
      unit.image = parity_folder() / unit.image;
    }
    return {model, request, SafetensorsFile(parity_folder() / (name + ".safetensors"))};
  }
  throw std::runtime_error("no case " + name);
}

/// A folder or file that the reference wrote.
inline StableDiffusion load_model(const std::string& name) {
  at::set_num_threads(1);  // networks this small only wait for each other on more
  return load_stable_diffusion(parity_folder() / name, {}, {std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer"});
}

/// A picture from text or, where the request names one, from a picture in the reference's folder.
inline Generated make_images(const StableDiffusion& model, const Request& request, const OnStep& on_step = {},
                             const Attachments& attachments = {}) {
  if (request.image.empty()) return text_to_image(model, request, on_step, attachments);
  return image_to_image(model, request, read_image(parity_folder() / request.image), on_step, attachments);
}

/// The relative error of every step.
class StepErrors {
 public:
  explicit StepErrors(const PipelineCase& test) : test_(test) {}

  /// For a pipeline that shall be compared, once.
  OnStep on_step() {
    return [this](int step, int, const torch::Tensor& x) {
      const auto key = "latents." + std::to_string(step);
      const auto known = test_.expected.contains(key);
      errors_.push_back(known ? relative_error(x, test_.expected.tensor(key)) : INFINITY);
      return true;
    };
  }

  /// Infinite where there were more or fewer steps than the reference's.
  double worst() const {
    return errors_.size() == test_.steps() ? *std::max_element(errors_.begin(), errors_.end()) : INFINITY;
  }

  friend std::ostream& operator<<(std::ostream& out, const StepErrors& steps) {
    out << "errors of " << steps.errors_.size() << " steps of " << steps.test_.steps() << ":";
    for (const auto error : steps.errors_) out << ' ' << error;
    return out;
  }

 private:
  const PipelineCase& test_;
  std::vector<double> errors_;
};

}  // namespace sfumato
