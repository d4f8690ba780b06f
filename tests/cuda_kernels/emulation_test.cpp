#include "group_norm_case.h"
#include "kernels/cuda/moments.cuh"

namespace sfumato {
namespace {

using cuda::launch;

template <class T>
double rounded(double x) {
  return value_of(element<T>(x));
}

TEST(CudaEmulation, RoundsToTheNearestAndTiesToEven) {
  EXPECT_EQ(rounded<Bfloat16>(1 + 0x1p-8), 1);
  EXPECT_EQ(rounded<Bfloat16>(1 + 0x3p-8), 1 + 0x1p-6);
  EXPECT_EQ(rounded<Bfloat16>(-1 - 0x1.1p-8), -1 - 0x1p-7);
  EXPECT_EQ(rounded<Half>(1 + 0x1p-11), 1);
  EXPECT_EQ(rounded<Half>(1 + 0x3p-11), 1 + 0x1p-9);
  EXPECT_TRUE(std::isnan(rounded<Bfloat16>(std::nan(""))));
  EXPECT_TRUE(std::isinf(rounded<Bfloat16>(3.4e38)));
}

void sum_lanes(float* sums) {
  const float sum = cuda::warp_sum(static_cast<float>(threadIdx.x));
  sums[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

TEST(CudaEmulation, AWarpSumsItsLanes) {
  float sums[128];
  launch(sum_lanes, dim3{2}, 64, nullptr, sums);
  EXPECT_EQ(sums[0], 496);
  EXPECT_EQ(sums[127], 496 + 32 * 32);
}

void wait_in_some(int) {
  if (threadIdx.x < 32) __syncthreads();
}

TEST(CudaEmulationDeathTest, EndsAtABarrierThatSomeThreadsDoNotReach) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(launch(wait_in_some, dim3{1}, 64, nullptr, 0), testing::ExitedWithCode(1), "threads wait for others");
}

void shuffle_in_some(float* sums) {
  if (threadIdx.x != 3) sums[threadIdx.x] = cuda::warp_sum(1);
}

TEST(CudaEmulationDeathTest, EndsAtAShuffleOfAPartOfAWarp) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  float sums[32];
  EXPECT_EXIT(launch(shuffle_in_some, dim3{1}, 32, nullptr, sums), testing::ExitedWithCode(1), "threads wait");
}

/// Runs the group norm without one of the barriers of its launch `launch`.
template <class T>
void run_without(int launch, int barrier, const GroupNormShape& shape) {
  GroupNormCase<T> test(shape, Embedding::kNone, false);
  cuda::emulation::launches = 0;
  cuda::emulation::omission = {.launch = launch, .barrier = barrier};
  const int result = test.run();
  cuda::emulation::omission = {};
  std::fprintf(stderr, "result %d, distance %g\n", result, worst(test.y, test.exact(test.eps)));
}

constexpr GroupNormShape kSmall{.batch = 1, .pixels = 8, .channels = 320, .groups = 32};
constexpr GroupNormShape kTiles{.batch = 1, .pixels = 5, .channels = 840, .groups = 8};
constexpr GroupNormShape kDivided{.batch = 1, .pixels = 60, .channels = 40, .groups = 4};

TEST(MissingBarrierDeathTest, ThreadSanitizerReportsEachOfThem) {
#ifndef __SANITIZE_THREAD__
  GTEST_SKIP() << "needs ThreadSanitizer";
#endif
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const auto race = testing::ExitedWithCode(66);
  const char* message = "data race";
  // Between the threads' moments and their union; between the union and the next tile, or the affine map; and between
  // the affine map and its use.
  EXPECT_EXIT((run_without<Half>(0, 0, kSmall), std::exit(0)), race, message);
  EXPECT_EXIT((run_without<Half>(0, 2, kSmall), std::exit(0)), race, message);
  EXPECT_EXIT((run_without<Half>(0, 0, kDivided), std::exit(0)), race, message);
  EXPECT_EXIT((run_without<float>(0, 1, kTiles), std::exit(0)), race, message);
  EXPECT_EXIT((run_without<float>(0, 2, kTiles), std::exit(0)), race, message);
  // None is missing: the test itself is not what is reported.
  EXPECT_EXIT((run_without<float>(0, 99, kTiles), std::exit(0)), testing::ExitedWithCode(0), "distance 0");
}

}  // namespace
}  // namespace sfumato
