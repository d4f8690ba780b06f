#include "core/placement.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(ParseDtype, TakesTheNamesOfTheFieldsPrograms) {
  for (const auto* name : {"float32", "fp32", "f32"}) EXPECT_EQ(parse_dtype(name), torch::kFloat32) << name;
  for (const auto* name : {"float16", "fp16", "f16"}) EXPECT_EQ(parse_dtype(name), torch::kFloat16) << name;
  for (const auto* name : {"bfloat16", "bf16"}) EXPECT_EQ(parse_dtype(name), torch::kBFloat16) << name;
}

TEST(ParseDtype, RefusesOthersByName) {
  try {
    parse_dtype("q8_0");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'q8_0': expected float32"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace sfumato
