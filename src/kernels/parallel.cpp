#include "kernels/parallel.h"

#include <ATen/TensorIterator.h>
#include <torch/torch.h>

namespace sfumato {

void parallel_for(std::int64_t count, const std::function<void(std::int64_t, std::int64_t)>& function) {
  if (count < 1) return;
  // An operation on each element of a tensor of bytes, which are not accessed: their addresses are the numbers.
  const auto bytes = torch::empty({count}, torch::kUInt8);
  const auto* const first = static_cast<const char*>(bytes.const_data_ptr());
  auto iterator = at::TensorIterator::borrowing_nullary_op(bytes);
  iterator.for_each(
      [&](char** data, const std::int64_t*, std::int64_t size, std::int64_t) {
        const auto begin = static_cast<std::int64_t>(data[0] - first);
        function(begin, begin + size);
      },
      /*grain_size=*/1);
}

}  // namespace sfumato
