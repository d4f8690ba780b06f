#include "group_norm_case.h"

namespace sfumato {
namespace {

constexpr Embedding kEmbeddings[] = {Embedding::kNone, Embedding::kAdded, Embedding::kScaleAndShift, Embedding::kBoth};

// In full vectors and element by element; groups that share a vector; more vectors than threads, with groups that span
// two tiles; images in one block, in several, and divided, with a last split that is shorter.
constexpr GroupNormShape kShapes[] = {{.batch = 1, .pixels = 1, .channels = 1, .groups = 1},
                                      {.batch = 2, .pixels = 1, .channels = 32, .groups = 32},
                                      {.batch = 1, .pixels = 7, .channels = 7, .groups = 7},
                                      {.batch = 2, .pixels = 8, .channels = 24, .groups = 8},
                                      {.batch = 1, .pixels = 8, .channels = 320, .groups = 32},
                                      {.batch = 1, .pixels = 5, .channels = 840, .groups = 8},
                                      {.batch = 1, .pixels = 5, .channels = 203, .groups = 7},
                                      {.batch = 1, .pixels = 40, .channels = 40, .groups = 4},
                                      {.batch = 3, .pixels = 100, .channels = 12, .groups = 3},
                                      {.batch = 2, .pixels = 33, .channels = 20, .groups = 5},
                                      {.batch = 1, .pixels = 31, .channels = 200, .groups = 200},
                                      {.batch = 2, .pixels = 9, .channels = 320, .groups = 32},
                                      {.batch = 1, .pixels = 9, .channels = 1600, .groups = 2},
                                      {.batch = 1, .pixels = 50, .channels = 205, .groups = 5}};

template <class T>
class GroupNormKernel : public testing::Test {};
TYPED_TEST_SUITE(GroupNormKernel, ElementTypes);

TYPED_TEST(GroupNormKernel, IsNearItsExactTwin) {
  unsigned turn = 0;
  for (const auto& shape : kShapes) {
    const auto embedding = kEmbeddings[turn % 4];
    const bool silu = (turn++ / 4) % 2 == 1;
    GroupNormCase<TypeParam> test(shape, embedding, silu);
    ASSERT_EQ(test.run(), 0);
    EXPECT_LE(worst(test.y, test.exact(test.eps)), 1) << testing::PrintToString(shape) << " turn " << turn;
  }
}

TYPED_TEST(GroupNormKernel, TakesEachEmbeddingWithAndWithoutSilu) {
  for (const auto embedding : kEmbeddings)
    for (const bool silu : {false, true}) {
      GroupNormCase<TypeParam> test({.batch = 2, .pixels = 12, .channels = 48, .groups = 4}, embedding, silu);
      ASSERT_EQ(test.run(), 0);
      EXPECT_LE(worst(test.y, test.exact(test.eps)), 1) << static_cast<int>(embedding) << silu;
    }
}

TYPED_TEST(GroupNormKernel, TakesTensorsThatAreNotAligned) {
  GroupNormCase<TypeParam> test({.batch = 2, .pixels = 20, .channels = 32, .groups = 4, .offset = 1}, Embedding::kNone,
                                true);
  ASSERT_EQ(test.run(), 0);
  EXPECT_LE(worst(test.y, test.exact(test.eps)), 1);
}

// A sum of squares in float32 would be off by a tenth of the variance.
TEST(GroupNormKernel, LosesNoDigitsOfTheVarianceToTheMean) {
  GroupNormCase<float> test({.batch = 1, .pixels = 60, .channels = 16, .groups = 2}, Embedding::kNone, false, 2000);
  ASSERT_EQ(test.run(), 0);
  EXPECT_LE(worst(test.y, test.exact(test.eps)), 1);
  for (long long i = 0; i < 960; ++i) ASSERT_NEAR(test.y[i], test.exact(test.eps)[static_cast<std::size_t>(i)].y, 2e-3);
}

TYPED_TEST(GroupNormKernel, ComparisonSeesAnotherEps) {
  GroupNormCase<TypeParam> test({.batch = 1, .pixels = 20, .channels = 32, .groups = 4}, Embedding::kAdded, true);
  ASSERT_EQ(test.run(), 0);
  EXPECT_GT(worst(test.y, test.exact(0.3)), 2);
}

TEST(GroupNormKernel, AnImageIsTheSameInEveryBatch) {
  GroupNormCase<float> one({.batch = 1, .pixels = 30, .channels = 40, .groups = 4}, Embedding::kNone, true);
  GroupNormCase<float> two({.batch = 2, .pixels = 30, .channels = 40, .groups = 4}, Embedding::kNone, true);
  ASSERT_EQ(one.run(), 0);
  ASSERT_EQ(two.run(), 0);
  for (long long i = 0; i < 1200; ++i) ASSERT_EQ(one.y[i], two.y[i]);
}

TEST(GroupNormKernel, RefusesShapesAndDtypesThatItDoesNotTake) {
  const auto result_of = [](const auto& change) {
    GroupNormCase<float> test({.batch = 1, .pixels = 4, .channels = 8, .groups = 2}, Embedding::kScaleAndShift, false);
    change(test.call());
    return test.run();
  };
  EXPECT_EQ(result_of([](auto& call) { call.groups = 3; }), kSfumatoBadShape);
  EXPECT_EQ(result_of([](auto& call) { call.groups = 0; }), kSfumatoBadShape);
  EXPECT_EQ(result_of([](auto& call) { call.pixels = 0; }), kSfumatoBadShape);
  EXPECT_EQ(result_of([](auto& call) { call.batch = 65536; }), kSfumatoBadShape);
  EXPECT_EQ(result_of([](auto& call) { call.shift = nullptr; }), kSfumatoBadShape);
  EXPECT_EQ(result_of([](auto& call) { call.dtype = 3; }), kSfumatoBadDtype);
}

}  // namespace
}  // namespace sfumato
