#include "training/loss_curve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>

namespace sfumato {
namespace {

TEST(LossCurve, TicksAreRoundNumbersInsideTheRange) {
  EXPECT_EQ(axis_ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(axis_ticks(20, 4500, 6), (std::vector<double>{1000, 2000, 3000, 4000}));
  EXPECT_EQ(axis_ticks(-1, 1, 2), (std::vector<double>{-1, 0, 1}));
}

class Log : public testing::Test {
 protected:
  std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
  RunFolder run_{path_};
  void SetUp() override { std::filesystem::create_directories(path_); }
  void TearDown() override { std::filesystem::remove_all(path_); }
};

/// Returns the y of a polyline's points, in their order.
std::vector<double> heights(const std::string& svg, std::size_t index) {
  std::size_t at = 0;
  for (std::size_t i = 0; i <= index; ++i) at = svg.find("points=\"", at) + 8;
  std::vector<double> heights;
  std::istringstream points(svg.substr(at, svg.find('"', at) - at));
  for (std::string point; points >> point;) heights.push_back(std::stod(point.substr(point.find(',') + 1)));
  return heights;
}

TEST_F(Log, AFallingLossIsDrawnFalling) {
  for (int step = 1; step <= 1000; ++step) run_.log({{"step", step}, {"loss", 1.0 / step}});
  run_.log({{"step", 500}, {"held_out_psnr", 20.0}});
  run_.log({{"step", 1000}, {"held_out_psnr", 24.0}});
  const auto svg = loss_curve_svg(run_);
  const auto loss = heights(svg, 0), psnr = heights(svg, 1);
  EXPECT_GT(loss.size(), 100U);
  EXPECT_LE(loss.size(), 160U);
  EXPECT_TRUE(std::is_sorted(loss.begin(), loss.end()));  // y grows downwards
  ASSERT_EQ(psnr.size(), 2U);
  EXPECT_GT(psnr[0], psnr[1]);
  EXPECT_NE(svg.find("held-out PSNR"), std::string::npos);
}

TEST_F(Log, WithoutALossThereIsNothingToDraw) {
  EXPECT_THROW(loss_curve_svg(run_), std::runtime_error);
  run_.log({{"step", 1}, {"held_out_loss", 1.0}});
  EXPECT_THROW(loss_curve_svg(run_), std::runtime_error);
}

}  // namespace
}  // namespace sfumato
