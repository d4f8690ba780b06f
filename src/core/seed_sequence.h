#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sfumato {

/// Derives the seeds of a tree of independent generators from one seed (numpy.random.SeedSequence; O'Neill 2015,
/// "Developing a seed_seq alternative").
struct SeedSequence {
  std::uint64_t entropy = 0;
  std::vector<std::uint64_t> spawn_key{};  ///< the generator's place in the tree
  std::size_t pool_size = 4;               ///< number of words into which all of this is mixed

  /// Returns the generator's seed as `words` words. A larger number of words begins with the same ones.
  std::vector<std::uint32_t> generate_state(std::size_t words) const;
};

}  // namespace sfumato
