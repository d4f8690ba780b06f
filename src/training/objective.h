#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>

#include "training/adamw.h"

namespace sfumato {

/// The examples of an update: tensors of the same number of rows by name, on the training device.
using Batch = std::map<std::string, torch::Tensor>;

std::int64_t rows_of(const Batch& batch);
/// Rows `first` to `first + count` of every tensor, sharing memory.
Batch slice_rows(const Batch& batch, std::int64_t first, std::int64_t count);

/// Networks and the loss that trains them.
class Objective {
 public:
  virtual ~Objective() = default;

  /// Everything that is trained, by the name that it has in checkpoints ("unet.conv_in.weight").
  virtual NamedTensors parameters() = 0;
  /// The scalar loss, a mean over the batch's rows, with its graph. A function of the weights and the batch alone, but
  /// for dropout.
  virtual torch::Tensor loss(const Batch& batch) = 0;
};

}  // namespace sfumato
