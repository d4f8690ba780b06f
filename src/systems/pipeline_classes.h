#pragma once

#include <string>
#include <vector>

namespace sfumato {

/// What runs a folder's model.
enum class System {
  stable_diffusion,  ///< Stable Diffusion 1, 2 or XL
  unconditional,     ///< DDPM and DDIM, in pixels or in latents (systems/unconditional/)
  glide,             ///< GLIDE, in pixels or in latents (systems/glide/)
};

/// A pipeline class of diffusers whose folders are loaded.
struct PipelineClass {
  std::string name;
  bool is_xl = false;
  /// What the class does beyond a plain pipeline, and which option does it here; "" for nothing.
  std::string note = {};
  System system = System::stable_diffusion;
};

/// All of them. To add one, write its row here.
const std::vector<PipelineClass>& pipeline_classes();

/// The row of `name`, or nullptr.
const PipelineClass* find_pipeline_class(const std::string& name);

/// Programs with the classes that they run, for messages: those of text by their families, the others by name.
std::string programs_and_classes();

}  // namespace sfumato
