#pragma once

#include <torch/torch.h>

#include <memory>

#include "training/batch.h"
#include "training/trainable_set.h"

namespace sfumato {

/// Networks and the loss that trains them.
class Objective {
 public:
  virtual ~Objective() = default;

  /// Tensors of the networks, in a fixed order.
  virtual TrainableSet tensors() = 0;
  /// Returns the scalar loss, a mean over the batch's rows, with its graph. Apart from dropout it is a function of the
  /// weights and the batch alone.
  virtual torch::Tensor loss(const Batch& batch) = 0;
};

/// Makes an objective from its constructor's arguments and places its networks (`place`).
template <class Made, class... Arguments>
std::unique_ptr<Objective> placed_objective(const Arguments&... arguments) {
  auto objective = std::make_unique<Made>(arguments...);
  objective->place();
  return objective;
}

}  // namespace sfumato
