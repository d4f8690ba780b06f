#pragma once

#include <torch/torch.h>

#include "training/batch.h"
#include "training/trainable_set.h"

namespace sfumato {

/// Networks and the loss that trains them.
class Objective {
 public:
  virtual ~Objective() = default;

  /// The tensors of the networks, in a fixed order.
  virtual TrainableSet tensors() = 0;
  /// The scalar loss, a mean over the batch's rows, with its graph. A function of the weights and the batch alone, but
  /// for dropout.
  virtual torch::Tensor loss(const Batch& batch) = 0;
};

}  // namespace sfumato
