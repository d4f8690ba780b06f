#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "glide": GLIDE's base model, also for inpainting.
TrainingKind glide_kind();

/// Row "glide_upsampler": its upsampler.
TrainingKind glide_upsampler_kind();

}  // namespace sfumato
