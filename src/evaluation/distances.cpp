#include "evaluation/distances.h"

#include <stdexcept>
#include <string>

namespace sfumato {
namespace {

torch::Tensor checked(const torch::Tensor& features, std::int64_t least) {
  if (features.dim() != 2 || features.size(0) < least)
    throw std::invalid_argument("features of " + std::to_string(features.dim() > 0 ? features.size(0) : 0) +
                                " images, expected at least " + std::to_string(least));
  return features.to(torch::kCPU, torch::kFloat64);
}

void check_widths(const torch::Tensor& a, const torch::Tensor& b) {
  if (a.size(1) != b.size(1))
    throw std::invalid_argument("features of widths " + std::to_string(a.size(1)) + " and " +
                                std::to_string(b.size(1)) + ", expected the same");
}

/// Symmetric square root of a covariance; eigenvalues made negative by rounding count as 0.
torch::Tensor matrix_root(const torch::Tensor& covariance) {
  const auto [values, vectors] = torch::linalg_eigh(covariance);
  return vectors.mul(values.clamp_min(0).sqrt()).matmul(vectors.t());
}

torch::Tensor polynomial_kernel(const torch::Tensor& a, const torch::Tensor& b) {
  return (a.matmul(b.t()) / static_cast<double>(a.size(1)) + 1).pow(3);
}

double mean_off_diagonal(const torch::Tensor& kernel) {
  const auto n = static_cast<double>(kernel.size(0));
  return (kernel.sum() - kernel.trace()).item<double>() / (n * (n - 1));
}

/// Distance of each row to its k-th nearest other row.
torch::Tensor neighbour_radii(const torch::Tensor& features, std::int64_t k) {
  return std::get<0>(torch::cdist(features, features).kthvalue(k + 1, 1));  // the row itself is the first
}

/// Share of `queries` that lie in a ball around one of `centres`.
double share_inside(const torch::Tensor& queries, const torch::Tensor& centres, std::int64_t k) {
  const auto inside = torch::cdist(queries, centres) <= neighbour_radii(centres, k).unsqueeze(0);
  return inside.any(1).to(torch::kFloat64).mean().item<double>();
}

}  // namespace

double frechet_distance(const torch::Tensor& real, const torch::Tensor& generated) {
  const auto a = checked(real, 2), b = checked(generated, 2);
  check_widths(a, b);
  const auto covariance_a = torch::cov(a.t()).reshape({a.size(1), a.size(1)}),
             covariance_b = torch::cov(b.t()).reshape({b.size(1), b.size(1)});
  // The eigenvalues of S_a S_b are those of a symmetric matrix: S_a^(1/2) S_b S_a^(1/2).
  const auto root = matrix_root(covariance_a);
  const auto product = torch::linalg_eigvalsh(root.matmul(covariance_b).matmul(root));
  const auto means = (a.mean(0) - b.mean(0)).square().sum();
  const auto traces = covariance_a.trace() + covariance_b.trace() - 2 * product.clamp_min(0).sqrt().sum();
  return (means + traces).item<double>();
}

double kernel_distance(const torch::Tensor& real, const torch::Tensor& generated) {
  const auto a = checked(real, 2), b = checked(generated, 2);
  check_widths(a, b);
  return mean_off_diagonal(polynomial_kernel(a, a)) + mean_off_diagonal(polynomial_kernel(b, b)) -
         2 * polynomial_kernel(a, b).mean().item<double>();
}

PrecisionRecall precision_recall(const torch::Tensor& real, const torch::Tensor& generated, std::int64_t k) {
  const auto a = checked(real, k + 1), b = checked(generated, k + 1);
  check_widths(a, b);
  return {share_inside(b, a, k), share_inside(a, b, k)};
}

}  // namespace sfumato
