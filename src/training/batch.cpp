#include "training/batch.h"

namespace sfumato {

std::int64_t rows_of(const Batch& batch) {
  TORCH_CHECK(!batch.empty(), "a batch without tensors");
  return batch.begin()->second.size(0);
}

Batch slice_rows(const Batch& batch, std::int64_t first, std::int64_t count) {
  Batch slice;
  for (const auto& [name, tensor] : batch) slice[name] = tensor.narrow(0, first, count);
  return slice;
}

}  // namespace sfumato
