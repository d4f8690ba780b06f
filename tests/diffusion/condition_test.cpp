#include "diffusion/condition.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

Condition condition(double value, std::int64_t rows = 2) {
  return {.encoder_hidden_states = torch::full({rows, 5, 4}, value), .class_labels = torch::full({rows}, 7L)};
}

TEST(Condition, JoinsTheRowsOfEachMember) {
  const auto joined = cat({condition(1), condition(2, 3)});
  EXPECT_EQ(joined.rows(), 5);
  EXPECT_TRUE(torch::equal(joined.encoder_hidden_states.select(2, 0).select(1, 0),
                           torch::tensor({1., 1., 2., 2., 2.}, torch::kFloat32)));
  EXPECT_EQ(joined.class_labels.size(0), 5);
  EXPECT_FALSE(joined.text_embeds.defined());
}

TEST(Condition, AFlagThatIsMissingIsFalse) {
  auto flagged = condition(2);
  flagged.perturbed = torch::ones({2}, torch::kBool);
  const auto joined = cat({condition(1, 1), flagged});
  EXPECT_TRUE(torch::equal(joined.perturbed, torch::tensor({false, true, true})));
}

TEST(Condition, RefusesToJoinWhatSomeLack) {
  auto other = condition(2);
  other.text_embeds = torch::zeros({2, 3});
  EXPECT_THROW(cat({condition(1), other}), std::invalid_argument);
}

TEST(Condition, RepeatsAndNarrowsItsRows) {
  const auto repeated = repeat_interleave(cat({condition(1, 1), condition(2, 1)}), 3);
  EXPECT_EQ(repeated.rows(), 6);
  const auto middle = narrow(repeated, 2, 2).encoder_hidden_states.select(2, 0).select(1, 0);
  EXPECT_TRUE(torch::equal(middle, torch::tensor({1., 2.}, torch::kFloat32)));
}

/// Two texts for two rows each, with keys and values of two layers.
Condition with_keys_values() {
  auto texts = condition(1);
  texts.text_keys_values = {torch::arange(2).reshape({2, 1, 1, 1}), 10 + torch::arange(2).reshape({2, 1, 1, 1})};
  return repeat_interleave(texts, 2);
}

TEST(Condition, RowsShareKeysAndValuesOfTheirText) {
  const auto texts = with_keys_values();
  EXPECT_EQ(texts.rows(), 4);
  EXPECT_EQ(texts.rows_for_text(), 2);
  const auto joined = cat({texts, texts});
  EXPECT_EQ(joined.rows_for_text(), 2);
  const auto last = narrow(joined, 2, 4);
  EXPECT_TRUE(torch::equal(last.text_keys_values[0].flatten(), torch::tensor({1, 0})));
  EXPECT_TRUE(torch::equal(last.text_keys_values[1].flatten(), torch::tensor({11, 10})));
  EXPECT_THROW(narrow(joined, 1, 2), c10::Error);
}

TEST(Condition, RefusesToJoinKeysAndValuesOfOtherNumbersOfRows) {
  const auto texts = with_keys_values();
  EXPECT_THROW(cat({texts, repeat_interleave(texts, 2)}), std::invalid_argument);
  EXPECT_THROW(cat({texts, condition(1)}), std::invalid_argument);
}

TEST(Condition, WithoutTensorsHasNoRows) {
  EXPECT_EQ(Condition().rows(), 0);
}

}  // namespace
}  // namespace sfumato
