#pragma once

#include "training/adamw.h"

namespace sfumato {

/// Tensors of a run by their use, each under its name in checkpoints,
/// such as "unet.conv_in.weight".
struct TrainableSet {
  /// Updated by the optimizer; gradients are reduced, clipped and applied only for these.
  NamedTensors optimized;
  /// Stored in checkpoints as "model.NAME", the optimized ones among them.
  NamedTensors checkpointed;
  /// Tracked by the moving average, which samples and exports use.
  NamedTensors averaged;
};

/// Returns a set in which all `parameters` are checkpointed and averaged, and those that require gradients optimized.
TrainableSet trainable_set(const NamedTensors& parameters);

}  // namespace sfumato
