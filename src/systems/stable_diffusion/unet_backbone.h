#pragma once

#include "diffusion/guided_denoiser.h"
#include "systems/stable_diffusion/job.h"

namespace sfumato {

/// The job's UNet with its ControlNets as guidance evaluates it. Both functions refer to `job` and `control`, which
/// must live as long. From here on nothing depends on a value that the device computes, so that a CUDA graph can replay
/// an evaluation whose inputs stay in place. Throws std::invalid_argument where the UNet lacks the layers that the
/// job's kind of guidance needs.
GuidedDenoiser::Networks unet_backbone(const Job& job, const Control& control);

}  // namespace sfumato
