#pragma once

#include <cstdint>
#include <functional>

namespace sfumato {

/// Calls function(begin, end) for parts of 0..count, at the same time on LibTorch's threads, at most one part on each.
/// at::parallel_for of LibTorch's headers runs on one thread in code that is not compiled with OpenMP. This function
/// reaches the loop that was compiled into LibTorch, and with it the same threads in every build of LibTorch.
void parallel_for(std::int64_t count, const std::function<void(std::int64_t begin, std::int64_t end)>& function);

}  // namespace sfumato
