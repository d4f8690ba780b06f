#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "clip": trains a CLIPModel.
TrainingKind clip_kind();

}  // namespace sfumato
