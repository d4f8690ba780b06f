#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "unconditional": a UNet2DModel of pixels or latents.
TrainingKind unconditional_kind();

}  // namespace sfumato
