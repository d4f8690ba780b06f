#include "tokenizer/prompt_parts.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sfumato {
namespace {

using Parts = std::vector<PromptPart>;
using Loras = std::vector<LoraTag>;

// The example of the web UI's documentation.
TEST(PromptParts, AreJoinedByAndWithWeights) {
  EXPECT_EQ(split_parts("a cat :1.2 AND a dog AND a penguin :2.2"),
            (Parts{{"a cat", 1.2}, {"a dog", 1}, {"a penguin", 2.2}}));
  EXPECT_EQ(split_parts("a cat:-.5 AND(a dog:1.3)"), (Parts{{"a cat", -0.5}, {"(a dog:1.3)", 1}}));
  EXPECT_EQ(split_parts("AND"), (Parts{{"", 1}, {"", 1}}));
}

TEST(PromptParts, OtherWordsAndColonsAreText) {
  for (const std::string prompt : {"", "sand and SAND", "a picture in 16:9", "a cat :1.2", "\u732bAND\u72d7"})
    EXPECT_EQ(split_parts(prompt), (Parts{{prompt, 1}})) << prompt;
}

TEST(LoraTags, AreTakenOut) {
  const auto parsed = take_out_loras("a <lora:some style:0.8> cat<lora:other><lora:third:0.5:0.7><lora:x:te=0:unet=2>");
  EXPECT_EQ(parsed.text, "a  cat");
  EXPECT_EQ(parsed.loras, (Loras{{"some style", 0.8, 0.8}, {"other", 1, 1}, {"third", 0.7, 0.5}, {"x", 2, 0}}));
  EXPECT_EQ(take_out_loras("a <b> <lora> c").text, "a <b> <lora> c");
}

TEST(LoraTags, AWeightThatIsNoNumberIsRefused) {
  for (const auto* prompt : {"<lora:a:much>", "<lora:a:>", "<lora:a:dim=3>"})
    EXPECT_THROW(take_out_loras(prompt), std::invalid_argument) << prompt;
}

}  // namespace
}  // namespace sfumato
