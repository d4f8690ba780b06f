#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sfumato {

/// One seed made into those of a whole tree of generators, which have nothing to do with each other
/// (numpy.random.SeedSequence, after O'Neill 2015, "Developing a seed_seq alternative").
struct SeedSequence {
  std::uint64_t entropy = 0;
  std::vector<std::uint64_t> spawn_key{};  ///< the generator's place in the tree
  std::size_t pool_size = 4;               ///< the words that all of this is mixed in

  /// The generator's seed: `words` words, the first ones of any larger number.
  std::vector<std::uint32_t> generate_state(std::size_t words) const;
};

}  // namespace sfumato
