#include "systems/stable_diffusion/adapters.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(ParseLora, TakesANumberAfterTheLastColonForTheWeight) {
  const auto expect = [](const std::string& text, const std::string& path, double weight) {
    const auto lora = parse_lora(text);
    EXPECT_EQ(lora.path, path) << text;
    EXPECT_EQ(lora.weight, weight) << text;
  };
  expect("a.safetensors", "a.safetensors", 1);
  expect("a.safetensors:0.8", "a.safetensors", 0.8);
  expect("a.safetensors:-1", "a.safetensors", -1);
  expect("c:/a:b.safetensors", "c:/a:b.safetensors", 1);
  expect("c:/a:2", "c:/a", 2);
}

TEST(ParseLora, TakesTwoNumbersForTheTextEncodersAndTheUNet) {
  const auto lora = parse_lora("c:/a.safetensors:0.5:-2");
  EXPECT_EQ(lora.path, "c:/a.safetensors");
  EXPECT_EQ(lora.text_encoder_weight, 0.5);
  EXPECT_EQ(lora.weight, -2);
  EXPECT_EQ(parse_lora("a:0.5").text_encoder_weight, std::nullopt);
}

TEST(ParseLora, RefusesWhatNamesNoFileAndWeightsBeyondTheLimit) {
  for (const auto* text : {"", ":1", ":1:1", "a:inf", "a:nan", "a:inf:1", "a:1e38", "a:1e999", "a:-1001:1"})
    EXPECT_THROW(parse_lora(text), std::invalid_argument) << text;
}

TEST(Adapters, ComeBackFromJsonAsTheyWere) {
  const Adapters adapters{.loras = {{"a", 0.5}, {"b", 0, 1.5}}, .embeddings = {"c"}};
  const auto again = adapters_from_json(Json::parse(to_json(adapters).dump()));
  ASSERT_EQ(again.loras.size(), 2);
  EXPECT_EQ(again.loras[0].text_encoder_weight, std::nullopt);
  EXPECT_EQ(again.loras[0].weight, 0.5);
  EXPECT_EQ(again.loras[1].text_encoder_weight, 1.5);
  EXPECT_EQ(again.loras[1].weight, 0);
  EXPECT_EQ(again.embeddings, adapters.embeddings);
}

TEST(Adapters, OfNoneNothingIsWritten) {
  EXPECT_EQ(to_json(Adapters()).dump(), "{}");
  EXPECT_TRUE(adapters_from_json(Json::object()).empty());
}

}  // namespace
}  // namespace sfumato
