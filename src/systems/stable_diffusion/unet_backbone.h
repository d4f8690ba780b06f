#pragma once

#include "diffusion/guided_denoiser.h"
#include "systems/stable_diffusion/job.h"

namespace sfumato {

/// Returns the job's UNet with its ControlNets for guidance. Both functions refer to `job` and `control`, which
/// must outlive them. From here on nothing depends on a value computed on the device, so that a CUDA graph can replay
/// an evaluation whose inputs stay in place. Throws std::invalid_argument if the UNet lacks the layers for the
/// job's kind of guidance.
GuidedDenoiser::Networks unet_backbone(const Job& job, const Control& control);

}  // namespace sfumato
