#include "core/processor.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(SlowDtypeNote, IsOneLineForBfloat16OnAProcessorWithoutItsInstructions) {
  const auto note = slow_dtype_note({torch::kCPU, torch::kBFloat16}, /*fast_bfloat16=*/false);
  EXPECT_NE(note.find("bfloat16"), std::string::npos);
  EXPECT_NE(note.find("float32"), std::string::npos);
  EXPECT_EQ(note.find('\n'), std::string::npos);
}

TEST(SlowDtypeNote, NamesFloat16) {
  EXPECT_NE(slow_dtype_note({torch::kCPU, torch::kFloat16}, /*fast_bfloat16=*/true).find("float16"), std::string::npos);
  EXPECT_EQ(slow_dtype_note({torch::kCUDA, torch::kFloat16}, /*fast_bfloat16=*/true), "");
}

TEST(SlowDtypeNote, IsSilentWhereNothingIsSlow) {
  EXPECT_EQ(slow_dtype_note({torch::kCPU, torch::kBFloat16}, /*fast_bfloat16=*/true), "");
  EXPECT_EQ(slow_dtype_note({torch::kCPU, torch::kFloat32}, /*fast_bfloat16=*/false), "");
  EXPECT_EQ(slow_dtype_note({torch::kCUDA, torch::kBFloat16}, /*fast_bfloat16=*/false), "");
}

}  // namespace
}  // namespace sfumato
