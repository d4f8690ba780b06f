#include "core/memory_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <torch/torch.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <vector>

namespace sfumato {
namespace {

constexpr std::int64_t kMiB = 1 << 20;

torch::Tensor bytes(std::int64_t mebibytes, int value) {
  return torch::full({mebibytes * kMiB}, value, torch::kUInt8);
}

std::int64_t page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

std::int64_t resident_mebibytes() {
  std::int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE) / kMiB;
}

TEST(MemoryPool, TheNextTensorTakesThePlaceOfTheFreedOne) {
  pool_cpu_memory();
  auto first = bytes(40, 1);
  const auto behind = bytes(40, 2);
  const auto* place = first.data_ptr();
  first.reset();
  EXPECT_EQ(bytes(40, 3).data_ptr(), place);
}

TEST(MemoryPool, NeighboursThatAreFreeHoldALargerTensor) {
  pool_cpu_memory();
  auto first = bytes(30, 1), second = bytes(30, 2);
  const auto last = bytes(30, 3);
  const auto* place = std::min(first.data_ptr(), second.data_ptr());
  first.reset();
  second.reset();
  EXPECT_EQ(bytes(55, 4).data_ptr(), place);
}

TEST(MemoryPool, TensorsDoNotOverlap) {
  pool_cpu_memory();
  std::vector<torch::Tensor> held(12);
  for (int round = 0; round < 200; ++round) {
    const int at = round * 7 % 12;
    if (held[at].defined()) {
      EXPECT_TRUE((held[at] == held[at][0]).all().item<bool>()) << "in round " << round;
    }
    held[at] = bytes(1 + round * 5 % 9, round % 251);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(held[at].data_ptr()) % 64, 0U) << "oneDNN wants lines of the cache";
  }
}

TEST(MemoryPool, ALargeStretchGoesBackToTheSystem) {
  pool_cpu_memory();
  auto weights = bytes(1500, 1);
  const auto with = resident_mebibytes();
  weights.reset();
  EXPECT_LT(resident_mebibytes(), with - 1400);
}

TEST(MemoryPool, HolesAreGivenBackBeforeThePoolGrows) {
  pool_cpu_memory();
  auto first = bytes(200, 1);
  const auto behind = bytes(200, 2);
  const auto with = resident_mebibytes();
  first.reset();
  EXPECT_GT(resident_mebibytes(), with - 100) << "a hole of this size is kept";
  const auto too_large_for_holes = torch::empty({4000 * kMiB}, torch::kUInt8);  // without pages of its own
  EXPECT_LT(resident_mebibytes(), with - 190);
}

// Below the size from which on the pool allocates.
TEST(MemoryPool, SmallBlocksStayInTheProcessOnRequest) {
#if !defined(__GLIBC__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "another allocator";
#endif
  keep_small_blocks();
  constexpr int kBlocks = 64;
  constexpr std::int64_t kBlock = kMiB / 4;
  const auto faults_of_use = [] {
    const auto before = page_faults();
    std::vector<torch::Tensor> blocks;
    for (int i = 0; i < kBlocks; ++i) blocks.push_back(torch::full({kBlock}, i, torch::kUInt8));
    return page_faults() - before;
  };
  faults_of_use();
  EXPECT_LT(faults_of_use(), kBlocks * kBlock / 4096 / 10);
}

TEST(MemoryPool, ATensorBeyondAllMemoryIsAnError) {
  pool_cpu_memory();
  EXPECT_THROW(torch::empty({std::int64_t{1} << 50}, torch::kUInt8), c10::OutOfMemoryError);
}

}  // namespace
}  // namespace sfumato
