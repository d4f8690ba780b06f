#include "diffusion/beta_distribution.h"

#include <cmath>
#include <limits>

namespace sfumato {
namespace {

/// Evaluates the continued fraction of I_x(a, b) (DLMF 8.17.22), which converges fast for x < (a + 1) / (a + b + 2),
/// from the front by Lentz's method.
double continued_fraction(double x, double a, double b) {
  constexpr int kMostTerms = 1000;
  double numerator = 1, denominator = 1 / (1 - (a + b) * x / (a + 1)), value = denominator;
  const auto multiply = [&](double term) {
    numerator = 1 + term / numerator;
    denominator = 1 / (1 + term * denominator);
    const double factor = numerator * denominator;
    value *= factor;
    return factor;
  };
  for (int m = 1; m < kMostTerms; ++m) {
    multiply(m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)));
    const double factor = multiply(-(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)));
    if (std::abs(factor - 1) < std::numeric_limits<double>::epsilon()) break;
  }
  return value;
}

/// Returns the regularised incomplete beta function I_x(a, b), the share of Beta(a, b) below x.
double beta_share(double x, double a, double b) {
  if (x > (a + 1) / (a + b + 2)) return 1 - beta_share(1 - x, b, a);
  const double log_front = a * std::log(x) + b * std::log1p(-x) + std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b);
  return std::exp(log_front) * continued_fraction(x, a, b) / a;
}

/// Bisects to the last bit: some 60 rounds, more only if x is tiny.
double bisected_quantile(double p, double a, double b) {
  double low = 0, high = 1;
  while (true) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return middle;
    (beta_share(middle, a, b) < p ? low : high) = middle;
  }
}

}  // namespace

double beta_quantile(double p, double a, double b) {
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  return beta_share(0.5, a, b) < p ? 1 - bisected_quantile(1 - p, b, a) : bisected_quantile(p, a, b);
}

}  // namespace sfumato
