#include "tokenizer/prompt_parts.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sfumato {
namespace {

using Parts = std::vector<PromptPart>;
using Loras = std::vector<LoraTag>;

// Example from the web UI's documentation.
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

// extra_networks_lora.py of the web UI: positional te, unet, dyn; named ones take precedence, in any order.
TEST(LoraTags, TheThirdNumberIsTheRankAndNoWeight) {
  const auto loras = take_out_loras(
                         "<lora:a:1:1:8><lora:b:0.5:0.25:4><lora:c:dyn=8:te=2><lora:d:0.5:unet=3:2:16><lyco:e:0.5>"
                         "<lora:f:unet=2>")
                         .loras;
  EXPECT_EQ(
      loras,
      (Loras{{"a", 1, 1, 8}, {"b", 0.25, 0.5, 4}, {"c", 2, 2, 8}, {"d", 3, 0.5, 16}, {"e", 0.5, 0.5}, {"f", 2, 1}}));
}

TEST(LoraTags, OtherTagsAreTakenOutAndNamed) {
  const auto parsed = take_out_loras("a <hypernet:h:1>cat <style:b> <c> 16:9 <1 : 2>");
  EXPECT_EQ(parsed.text, "a cat  <c> 16:9 <1 : 2>");
  EXPECT_EQ(parsed.others, (std::vector<std::string>{"<hypernet:h:1>", "<style:b>"}));
  EXPECT_TRUE(parsed.loras.empty());
}

TEST(LoraTags, AWeightThatIsNoNumberIsRefused) {
  for (const auto* prompt : {"<lora:a:much>", "<lora:a:>", "<lora:a:dim=3>", "<lora:a:1:1:0.5>", "<lora:a:1:1:0>",
                             "<lora:a:dyn=x>", "<lora:a:1:1:8:2>", "<lyco:a:much>"})
    EXPECT_THROW(take_out_loras(prompt), std::invalid_argument) << prompt;
}

TEST(LoraTags, AWeightIsAnyNumberWithinTheLimit) {
  const auto loras = take_out_loras("<lora:a:-0.5><lora:b:5e-1><lora:c:-1e3><lora:d: +.5 >").loras;
  EXPECT_EQ(loras, (Loras{{"a", -0.5, -0.5}, {"b", 0.5, 0.5}, {"c", -1000, -1000}, {"d", 0.5, 0.5}}));
  for (const std::string weight : {"1e38", "-1001", "1e999", "nan", "inf", "-inf", "", "1,5"}) {
    try {
      take_out_loras("a <lora:x:" + weight + ">");
      ADD_FAILURE() << weight;
    } catch (const std::invalid_argument& error) {
      EXPECT_EQ(error.what(), "the tag <lora:x:" + weight + ">: '" + weight + "': expected a weight of -1000 to 1000");
    }
  }
}

}  // namespace
}  // namespace sfumato
