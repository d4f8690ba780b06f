#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "text_to_image": trains a UNet2DConditionModel with its text encoder.
TrainingKind text_to_image_kind();

}  // namespace sfumato
