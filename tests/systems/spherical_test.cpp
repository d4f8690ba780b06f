#include "systems/spherical.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace sfumato {
namespace {

torch::Tensor vector_of(const std::vector<float>& values) {
  return torch::tensor(values).view({1, 1, 1, -1});
}

TEST(Spherical, HalfWayBetweenOrthogonalNoisesIsTheirSumAtUnitLength) {
  const auto points = interpolate_spherically(vector_of({3, 0}), vector_of({0, 3}), 3);
  const double half = 3 / std::sqrt(2.0);
  EXPECT_LT(
      (points - torch::tensor({{3.0, 0.0}, {half, half}, {0.0, 3.0}}).view({3, 1, 1, 2})).abs().max().item<double>(),
      1e-6);
}

TEST(Spherical, KeepsTheLengthOnItsWay) {
  const auto from = torch::randn({1, 3, 16, 16}), to = torch::randn({1, 3, 16, 16});
  const auto lengths = interpolate_spherically(from, to * (from.norm() / to.norm()), 9).flatten(1).norm(2, 1);
  EXPECT_LT(((lengths - from.norm()).abs() / from.norm()).max().item<double>(), 1e-5);
}

TEST(Spherical, BetweenEqualNoisesStaysThere) {
  const auto noise = torch::randn({1, 3, 4, 4});
  EXPECT_TRUE(interpolate_spherically(noise, noise, 4).isfinite().all().item<bool>());
  EXPECT_LT((interpolate_spherically(noise, noise, 4) - noise).abs().max().item<double>(), 1e-6);
}

TEST(Spherical, RefusesOneImage) {
  EXPECT_THROW(interpolate_spherically(torch::ones({1, 2}), torch::ones({1, 2}), 1), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
