#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "unconditional": trains a UNet2DModel on pixels or latents.
TrainingKind unconditional_kind();

}  // namespace sfumato
