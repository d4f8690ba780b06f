#pragma once

#include "training/adamw.h"

namespace sfumato {

/// The tensors of a run by what is done with them, under the names that they have in checkpoints
/// ("unet.conv_in.weight").
struct TrainableSet {
  /// Owned by the optimizer; gradients are reduced, clipped and applied here alone.
  NamedTensors optimized;
  /// Stored in checkpoints as "model.NAME", the optimized ones among them.
  NamedTensors checkpointed;
  /// Followed by the moving average, which samples and exports use.
  NamedTensors averaged;
};

/// All `parameters` checkpointed and averaged, and those that require gradients optimized.
TrainableSet trainable_set(const NamedTensors& parameters);

}  // namespace sfumato
