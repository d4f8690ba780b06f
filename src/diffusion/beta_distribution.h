#pragma once

namespace sfumato {

/// Returns the quantile x in [0, 1] at share p of the distribution Beta(a, b) (scipy.stats.beta.ppf), for p in [0, 1]
/// and positive a and b, accurate to a few units in the last place of x or, above 1/2, of 1 - x.
double beta_quantile(double p, double a, double b);

}  // namespace sfumato
