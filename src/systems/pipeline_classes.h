#pragma once

#include <string>
#include <vector>

namespace sfumato {

/// System that runs a folder's model.
enum class System {
  stable_diffusion,  ///< Stable Diffusion 1, 2 or XL
  unconditional,     ///< DDPM and DDIM, in pixels or in latents (systems/unconditional/)
  glide,             ///< GLIDE, in pixels or in latents (systems/glide/)
};

/// A supported pipeline class of diffusers.
struct PipelineClass {
  std::string name;
  bool is_xl = false;
  /// Adapters of the class to a plain pipeline, and the option that enables them here; "" for none.
  std::string note = {};
  System system = System::stable_diffusion;
};

/// Returns all classes. To add one, write its row here.
const std::vector<PipelineClass>& pipeline_classes();

/// Returns the row of `name`, or nullptr.
const PipelineClass* find_pipeline_class(const std::string& name);

/// Returns programs with the classes that they run, for messages: text models by family, the others by name.
std::string programs_and_classes();

}  // namespace sfumato
