#include "evaluation/distances.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace sfumato {
namespace {

torch::Tensor drawn(std::int64_t count, std::int64_t width, std::uint64_t seed) {
  return torch::randn({count, width}, seeded_generator(seed), torch::kFloat32).to(torch::kFloat64);
}

/// Features of mean 0 and covariance 1, exactly.
torch::Tensor whitened(const torch::Tensor& features) {
  const auto centred = features - features.mean(0);
  const auto factor = torch::linalg_cholesky(torch::cov(centred.t()));
  return torch::linalg_solve_triangular(factor, centred.t(), /*upper=*/false).t();
}

TEST(FrechetDistance, IsThatOfGaussians) {
  const auto real = whitened(drawn(60, 5, 1));
  EXPECT_NEAR(frechet_distance(real, real), 0, 1e-9);
  EXPECT_NEAR(frechet_distance(real, whitened(drawn(80, 5, 2)) + 2), 5 * 4, 1e-9);  // |mean|^2
  EXPECT_NEAR(frechet_distance(real, 3 * real), 5 * (1 + 9 - 2 * 3), 1e-9);         // tr(1 + 9 - 2 sqrt 9)
}

TEST(FrechetDistance, TakesCovariancesThatDoNotCommute) {
  const auto real = whitened(drawn(60, 2, 1));
  const auto a = torch::tensor({{2., 0.}, {0., 1.}}, torch::kFloat64),
             b = torch::tensor({{1., 1.}, {0., 1.}}, torch::kFloat64);
  // S_a = diag(4, 1), S_b = b^T b = [[1, 1], [1, 2]]: tr sqrt(S_a S_b) = sqrt(tr + 2 sqrt det), with tr 6 and det 4.
  EXPECT_NEAR(frechet_distance(real.matmul(a), real.matmul(b)), 5 + 3 - 2 * std::sqrt(6. + 2 * 2), 1e-9);
}

TEST(KernelDistance, IsTheUnbiasedDiscrepancy) {
  const auto a = torch::tensor({{1.}, {2.}}, torch::kFloat64), b = torch::tensor({{0.}, {3.}}, torch::kFloat64);
  // k(1, 2) = 27, k(0, 3) = 1; between them k(1, 0) = k(2, 0) = 1, k(1, 3) = 64, k(2, 3) = 343
  EXPECT_NEAR(kernel_distance(a, b), 27 + 1 - 2 * (1 + 1 + 64 + 343) / 4., 1e-9);
}

TEST(PrecisionRecall, CountsWhatLiesAmongTheOthers) {
  const auto real = torch::arange(8, torch::kFloat64).reshape({8, 1});  // balls of radius at least 2
  const auto generated = torch::tensor({{0.5}, {1.5}, {2.5}, {100.}}, torch::kFloat64);
  const auto found = precision_recall(real, generated, 1);  // radii 1; generated 1, 1, 1, 97.5
  EXPECT_EQ(found.precision, .75);
  EXPECT_EQ(found.recall, 1);  // the ball of 100 reaches to 2.5, those of the others to 0
}

// torch-fidelity 0.4.0 gave these for torch.randn(200, 16) with seed 1 and 1.3 torch.randn(160, 16) + 0.2 with seed 2.
// It keeps the kernel in float32.
TEST(Distances, AreThoseOfTorchFidelity) {
  const auto wide = 1.3 * torch::randn({160, 16}, seeded_generator(2), torch::kFloat32) + .2;
  const auto narrow = torch::randn({200, 16}, seeded_generator(1), torch::kFloat32);
  EXPECT_NEAR(frechet_distance(narrow, wide), 3.3334105450678777, 1e-5);
  EXPECT_NEAR(kernel_distance(narrow.narrow(0, 0, 160), wide), 0.2994809150695801, 1e-5);
  const auto found = precision_recall(wide, narrow);
  EXPECT_NEAR(found.precision, 0.9549999833106995, 1e-6);
  EXPECT_NEAR(found.recall, 0.3812499940395355, 1e-6);
}

TEST(Distances, RefuseTooFewFeaturesAndOtherWidths) {
  EXPECT_THROW(frechet_distance(drawn(1, 3, 1), drawn(9, 3, 2)), std::invalid_argument);
  EXPECT_THROW(kernel_distance(drawn(9, 3, 1), drawn(9, 4, 2)), std::invalid_argument);
  EXPECT_THROW(precision_recall(drawn(3, 3, 1), drawn(9, 3, 2), 3), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
