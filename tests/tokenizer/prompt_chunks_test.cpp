#include "tokenizer/prompt_chunks.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <stdexcept>

namespace sfumato {
namespace {

constexpr std::int64_t kBos = 1, kEos = 2, kPad = 3, kComma = 4;
const SpecialIds kSpecial{.bos = kBos, .eos = kEos, .pad = kPad, .comma = kComma};

/// Returns tokens 100, 101, ... with commas at `commas`.
PromptSection section(std::int64_t count, const std::vector<std::int64_t>& commas = {}) {
  PromptSection tokens;
  for (std::int64_t i = 0; i < count; ++i) tokens.push_back({100 + i, 1.5});
  for (const auto at : commas) tokens[static_cast<std::size_t>(at)].id = kComma;
  return tokens;
}

/// Number of text tokens in each chunk of 77.
std::vector<std::int64_t> sizes(const std::vector<PromptSection>& sections) {
  std::vector<std::int64_t> sizes;
  for (const auto& chunk : make_chunks(sections, kSpecial, 77)) {
    EXPECT_EQ(chunk.ids.size(), 77U);
    EXPECT_EQ(chunk.weights.size(), 77U);
    std::int64_t size = 0;
    while (chunk.weights[static_cast<std::size_t>(size) + 1] == 1.5F) ++size;
    sizes.push_back(size);
  }
  return sizes;
}

using Sizes = std::vector<std::int64_t>;

TEST(PromptChunks, StandBetweenBosAndEosBeforePadding) {
  const auto chunk = make_chunks({section(2)}, kSpecial, 6).front();
  EXPECT_EQ(chunk.ids, (std::vector<std::int64_t>{kBos, 100, 101, kEos, kPad, kPad}));
  EXPECT_EQ(chunk.weights, (std::vector<float>{1, 1.5, 1.5, 1, 1, 1}));
  const auto without_bos = make_chunks({section(2)}, {.bos = {}, .eos = kEos, .pad = kPad, .comma = {}}, 4).front();
  EXPECT_EQ(without_bos.ids, (std::vector<std::int64_t>{100, 101, kEos, kPad}));
}

TEST(PromptChunks, AreAsManyAsTheTokensNeed) {
  EXPECT_EQ(sizes({{}}), Sizes{0});
  EXPECT_EQ(sizes({section(75)}), Sizes{75});
  EXPECT_EQ(sizes({section(76)}), (Sizes{75, 1}));
  EXPECT_EQ(sizes({section(300)}), (Sizes{75, 75, 75, 75}));
}

TEST(PromptChunks, BreakBehindACommaNearTheEnd) {
  EXPECT_EQ(sizes({section(80, {60})}), (Sizes{61, 19}));
  EXPECT_EQ(sizes({section(80, {55})}), (Sizes{56, 24})) << "20 tokens with the comma itself are near";
  EXPECT_EQ(sizes({section(80, {54})}), (Sizes{75, 5})) << "21 are not";
  EXPECT_EQ(sizes({section(80, {60, 74})}), (Sizes{75, 5}));
  EXPECT_EQ(sizes({section(80, {60, 75})}), (Sizes{75, 5})) << "where a comma is next, nothing moves";
  EXPECT_EQ(sizes({section(75, {60})}), Sizes{75}) << "what fits is not broken";
}

TEST(PromptChunks, AWordAfterBreakStartsOne) {
  EXPECT_EQ(sizes({section(3), section(4)}), (Sizes{3, 4}));
  EXPECT_EQ(sizes({section(3), {}}), Sizes{3});
  EXPECT_EQ(sizes({{}, section(3)}), (Sizes{0, 3}));
  EXPECT_EQ(sizes({section(80, {60}), section(80, {60})}), (Sizes{61, 19, 61, 19}));
}

TEST(PromptChunks, NoRoomForATokenIsRefused) {
  EXPECT_THROW(make_chunks({section(1)}, kSpecial, 2), std::invalid_argument);
}

TEST(PromptChunks, OfAShortPromptAreTheTokenizersIds) {
  for (const auto* name : {"clip", "open_clip"}) {
    const auto tokenizer = load_tokenizer(std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer" / name);
    for (const auto* text : {"", "a cat, on a sofa", "\u4e00\u53ea\u732b", "?!.,;"}) {
      const auto sections = tokenize(*tokenizer, parse_weights(text));
      const auto chunks = make_chunks(sections, tokenizer->special_ids(), tokenizer->max_length());
      ASSERT_EQ(chunks.size(), 1U);
      EXPECT_EQ(chunks.front().ids, tokenizer->encode(text).ids) << name << ": " << text;
    }
  }
  const auto t5 = load_tokenizer(std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer");
  const auto sections = tokenize(*t5, parse_weights("a red cat, on a sofa"));
  EXPECT_EQ(make_chunks(sections, t5->special_ids(), t5->max_length()).front().ids,
            t5->encode("a red cat, on a sofa").ids);
}

}  // namespace
}  // namespace sfumato
