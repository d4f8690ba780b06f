#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>

namespace sfumato {

/// Examples of an update: tensors by name with the same number of rows, on the training device.
using Batch = std::map<std::string, torch::Tensor>;

std::int64_t rows_of(const Batch& batch);
/// Returns rows `first` to `first + count` of every tensor, sharing memory.
Batch slice_rows(const Batch& batch, std::int64_t first, std::int64_t count);

}  // namespace sfumato
