#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "vae": trains an AutoencoderKL.
TrainingKind vae_kind();

}  // namespace sfumato
