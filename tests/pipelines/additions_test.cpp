#include "pipelines/additions.h"

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

TEST(ParseLora, RefusesWhatNamesNoFileAndWeightsThatAreNotFinite) {
  for (const auto* text : {"", ":1", "a:inf", "a:nan"}) EXPECT_THROW(parse_lora(text), std::invalid_argument) << text;
}

TEST(Additions, OfNoneNothingIsWritten) {
  EXPECT_EQ(to_json(Additions()).dump(), "{}");
  EXPECT_TRUE(additions_from_json(Json::object()).empty());
}

}  // namespace
}  // namespace sfumato
