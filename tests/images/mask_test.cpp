#include "images/mask.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sfumato {
namespace {

/// [1, 1, height, width], 1 in `region` and 0 elsewhere.
torch::Tensor mask_of(std::int64_t height, std::int64_t width, const Region& region) {
  auto mask = torch::zeros({1, 1, height, width});
  cut_out(mask, region).fill_(1);
  return mask;
}

TEST(Mask, BlurredItHasTheDeviationThatWasAskedFor) {
  for (const double radius : {2.0, 5.0, 11.5}) {
    // An edge at column 150: its blur's slope is the Gaussian.
    const auto edge = blur_mask(mask_of(1, 300, {.left = 150, .height = 1, .width = 150}), radius)[0][0][0];
    const auto slope = (edge.slice(0, 1) - edge.slice(0, 0, 299)).to(torch::kFloat64);
    const auto place = torch::arange(1, 300).to(torch::kFloat64) - 150;
    EXPECT_NEAR(slope.sum().item<double>(), 1, 1e-6);
    // Three boxes have the Gaussian's variance (Gwosdek et al. 2011); rounding to 8 bits loses its tails.
    const double deviation = std::sqrt((slope * place.square()).sum().item<double>());
    EXPECT_NEAR(deviation, radius, 0.03 * radius);
  }
}

TEST(Mask, ABlurOfNothingIsTheMask) {
  const auto mask = mask_of(9, 12, {.top = 2, .left = 3, .height = 4, .width = 5});
  EXPECT_TRUE(torch::equal(blur_mask(mask, 0), mask));
  const auto white = torch::ones({1, 1, 7, 5});
  EXPECT_TRUE(torch::equal(blur_mask(white, 30), white)) << "its border is repeated outwards";
}

TEST(Mask, ItsRegionIsWidenedToTheRatioWithinTheImage) {
  const auto in_the_middle = mask_of(100, 200, {.top = 40, .left = 90, .height = 10, .width = 30});
  EXPECT_EQ(masked_region(in_the_middle, 0, 64, 64), (Region{.top = 30, .left = 90, .height = 30, .width = 30}));
  EXPECT_EQ(masked_region(in_the_middle, 5, 64, 64), (Region{.top = 25, .left = 85, .height = 40, .width = 40}));
  const auto at_the_bottom = mask_of(100, 200, {.top = 90, .left = 90, .height = 10, .width = 30});
  EXPECT_EQ(masked_region(at_the_bottom, 0, 64, 64), (Region{.top = 70, .left = 90, .height = 30, .width = 30}));
  const auto too_wide = mask_of(100, 200, {.top = 40, .left = 0, .height = 10, .width = 200});
  EXPECT_EQ(masked_region(too_wide, 0, 64, 64), (Region{.top = 0, .left = 0, .height = 100, .width = 200}));
}

TEST(Mask, PastedImagesCoverWhatItSaysAndNothingElse) {
  const auto image = torch::rand({1, 3, 8, 10}) * 2 - 1;
  const auto made = torch::ones({2, 3, 4, 4});
  const Region region{.top = 2, .left = 3, .height = 4, .width = 4};
  auto mask = torch::zeros({1, 1, 8, 10});
  mask[0][0][3][4] = 1;
  mask[0][0][4][5] = 0.25;
  mask[0][0][0][0] = 1;  // outside of the region
  const auto pasted = paste(image, made, mask, region);
  ASSERT_EQ(pasted.size(0), 2);
  for (std::int64_t k = 0; k < 2; ++k) {
    EXPECT_TRUE(torch::equal(pasted[k].select(1, 3).select(1, 4), torch::ones({3})));
    const auto mixed = 0.25 + 0.75 * image[0].select(1, 4).select(1, 5);
    EXPECT_TRUE(torch::allclose(pasted[k].select(1, 4).select(1, 5), mixed, 0, 1e-6));
    auto rest = torch::ones({8, 10}, torch::kBool);
    rest[3][4].fill_(false);
    rest[4][5].fill_(false);
    EXPECT_TRUE(torch::equal(pasted[k].masked_select(rest), image[0].masked_select(rest)));
  }
}

}  // namespace
}  // namespace sfumato
