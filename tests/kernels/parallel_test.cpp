#include "kernels/parallel.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace sfumato {
namespace {

TEST(ParallelFor, VisitsEachNumberOnce) {
  for (const std::int64_t count : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> visits(static_cast<std::size_t>(count));
    parallel_for(count, [&](std::int64_t begin, std::int64_t end) {
      for (auto i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
    });
    EXPECT_TRUE(std::all_of(visits.begin(), visits.end(), [](const auto& n) { return n == 1; })) << count;
  }
}

// at::parallel_for without OpenMP passes the test above: on one thread.
TEST(ParallelFor, UsesLibTorchsThreads) {
  const auto threads = at::get_num_threads();
  at::set_num_threads(3);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  parallel_for(3, [&](std::int64_t begin, std::int64_t end) {
    EXPECT_EQ(end, begin + 1);
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  at::set_num_threads(threads);
  EXPECT_EQ(ids.size(), 3U);
}

}  // namespace
}  // namespace sfumato
