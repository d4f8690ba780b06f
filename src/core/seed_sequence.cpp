#include "core/seed_sequence.h"

namespace sfumato {
namespace {

/// Hashes one word after another, each with its own constant.
class WordHash {
 public:
  WordHash(std::uint32_t first, std::uint32_t factor) : constant_(first), factor_(factor) {}

  std::uint32_t operator()(std::uint32_t word) {
    word ^= constant_;
    constant_ *= factor_;
    word *= constant_;
    return word ^ (word >> 16);
  }

 private:
  std::uint32_t constant_, factor_;
};

std::uint32_t mixed(std::uint32_t x, std::uint32_t y) {
  const std::uint32_t difference = 0xca01f9ddU * x - 0x4973f715U * y;
  return difference ^ (difference >> 16);
}

/// Appends the low word, then the high one unless it is 0.
void append(std::vector<std::uint32_t>& words, std::uint64_t number) {
  words.push_back(static_cast<std::uint32_t>(number));
  if (number >> 32 != 0) words.push_back(static_cast<std::uint32_t>(number >> 32));
}

/// Returns the entropy, padded to the pool's size so that the spawn key after it always begins at the same place.
std::vector<std::uint32_t> words_of(const SeedSequence& sequence) {
  std::vector<std::uint32_t> words;
  append(words, sequence.entropy);
  if (!sequence.spawn_key.empty() && words.size() < sequence.pool_size) words.resize(sequence.pool_size);
  for (const auto number : sequence.spawn_key) append(words, number);
  return words;
}

/// Each word of the pool depends on every one of `words`.
std::vector<std::uint32_t> mixed_pool(const std::vector<std::uint32_t>& words, std::size_t size) {
  WordHash hash(0x43b0d7e5U, 0x931e8875U);
  std::vector<std::uint32_t> pool(size);
  for (std::size_t i = 0; i < size; ++i) pool[i] = hash(i < words.size() ? words[i] : 0);
  for (std::size_t from = 0; from < size; ++from)
    for (std::size_t to = 0; to < size; ++to)
      if (from != to) pool[to] = mixed(pool[to], hash(pool[from]));
  for (std::size_t from = size; from < words.size(); ++from)
    for (auto& to : pool) to = mixed(to, hash(words[from]));
  return pool;
}

}  // namespace

std::vector<std::uint32_t> SeedSequence::generate_state(std::size_t words) const {
  const auto pool = mixed_pool(words_of(*this), pool_size);
  WordHash hash(0x8b51f9ddU, 0x58f38dedU);
  std::vector<std::uint32_t> state(words);
  for (std::size_t i = 0; i < words; ++i) state[i] = hash(pool[i % pool.size()]);
  return state;
}

}  // namespace sfumato
