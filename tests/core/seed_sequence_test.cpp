#include "core/seed_sequence.h"

#include <gtest/gtest.h>

#include <set>

namespace sfumato {
namespace {

using Words = std::vector<std::uint32_t>;

TEST(SeedSequence, HasNumpysStates) {
  // print(numpy.random.SeedSequence(0).generate_state(4)) in Python, and the same with the other arguments here
  EXPECT_EQ((SeedSequence{.entropy = 0}.generate_state(4)), (Words{0xb0f478be, 0xdb2cd7e7, 0x2c71ba49, 0xabf4641a}));
  EXPECT_EQ((SeedSequence{.entropy = 7, .spawn_key = {0, 0}, .pool_size = 24}.generate_state(4)),
            (Words{0x0f99a34e, 0xf15ed8fc, 0x2a82ed6f, 0x8c683fbd}));
  EXPECT_EQ((SeedSequence{.entropy = (1ULL << 40) + 3, .spawn_key = {5, 3}, .pool_size = 24}.generate_state(4)),
            (Words{0xc27a740a, 0xc7cedae9, 0x1fe03743, 0x53ff7ca2}));
}

TEST(SeedSequence, GivesTheSameFirstWordsForAnyNumberOfThem) {
  const SeedSequence sequence{.entropy = 5, .spawn_key = {1}};
  const auto many = sequence.generate_state(50);
  EXPECT_EQ(sequence.generate_state(1).front(), many.front());
  EXPECT_EQ(sequence.generate_state(7), Words(many.begin(), many.begin() + 7));
}

TEST(SeedSequence, EveryPlaceOfEverySeedHasASeedOfItsOwn) {
  std::set<Words> seen;
  for (std::uint64_t entropy = 0; entropy < 20; ++entropy)
    for (std::uint64_t depth = 0; depth < 5; ++depth)
      for (std::uint64_t number = 0; number < 1ULL << depth; ++number)
        seen.insert(SeedSequence{.entropy = entropy, .spawn_key = {number, depth}}.generate_state(4));
  EXPECT_EQ(seen.size(), 20 * 31);
}

}  // namespace
}  // namespace sfumato
