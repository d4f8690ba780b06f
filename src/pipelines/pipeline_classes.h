#pragma once

#include <string>
#include <vector>

namespace sfumato {

/// A pipeline class of diffusers whose folders hold a Stable Diffusion 1, 2 or XL.
struct PipelineClass {
  std::string name;
  bool is_xl = false;
  /// What the class does beyond a plain pipeline, and which option does it here; "" for nothing.
  std::string note = {};
};

/// All of them. To add one, write its row here.
const std::vector<PipelineClass>& pipeline_classes();

/// The row of `name`, or nullptr.
const PipelineClass* find_pipeline_class(const std::string& name);

/// "A, B or C" of their names.
std::string pipeline_class_names();

}  // namespace sfumato
