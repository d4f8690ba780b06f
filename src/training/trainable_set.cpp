#include "training/trainable_set.h"

namespace sfumato {

TrainableSet trainable_set(const NamedTensors& parameters) {
  TrainableSet set{.optimized = {}, .checkpointed = parameters, .averaged = parameters};
  for (const auto& parameter : parameters)
    if (parameter.second.requires_grad()) set.optimized.push_back(parameter);
  return set;
}

}  // namespace sfumato
