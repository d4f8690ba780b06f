#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Row "vae": an AutoencoderKL.
TrainingKind vae_kind();

}  // namespace sfumato
