#pragma once

#include "models/original_layout.h"
#include "systems/stable_diffusion/checkpoint_yaml.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {

/// Implements load_stable_diffusion for a file. Throws std::runtime_error naming it.
StableDiffusion load_single_file(const std::filesystem::path& file, const Placement& placement,
                                 const std::vector<std::filesystem::path>& tokenizers, const VaeChoice& vae);

/// Returns the schedule in the equivalent folder of such a file: that of Stable Diffusion 1.5, 2.1 (if no key and no
/// `yaml` determines v prediction, tests the loaded `unet` for it) or XL. A schedule that ends at pure noise must be
/// sampled from there (Lin et al. 2023, section 3.3): its timestep_spacing is trailing.
Schedule schedule_of_single_file(const OriginalLayout& layout, UNet2DConditionModelImpl& unet,
                                 const Placement& placement, const CheckpointYaml& yaml);

/// Returns it from the UNet's weights, by their names in diffusers, which are used if the network must be tested.
ScheduleConfig schedule_config_of(const OriginalLayout& layout, const NamedWeights& unet_weights,
                                  const CheckpointYaml& yaml);

/// Returns CLIP's or OpenCLIP's folder in the first of `tokenizers` that has it. Throws std::runtime_error.
std::filesystem::path shipped_tokenizer(bool is_open_clip, const std::vector<std::filesystem::path>& tokenizers);

/// Builds a network of such a file and loads its weights.
template <class Impl>
std::shared_ptr<Impl> load_from_single_file(const std::filesystem::path& file, const typename Impl::Config& config,
                                            const KeyNames& names, const Placement& placement) {
  auto network = std::make_shared<Impl>(config);
  load_weights(*network, file, placement, names);
  network->eval();
  return network;
}

}  // namespace sfumato
