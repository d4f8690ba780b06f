#include "training/variance_loss.h"

namespace sfumato {

torch::Tensor variance_loss(const VariationalBound& bound, const torch::Tensor& x0, const torch::Tensor& xt,
                            const torch::Tensor& raw, const torch::Tensor& t) {
  const auto parts = raw.chunk(2, 1);  // the prediction, and the variance's interpolation
  const auto term = bound.term(x0, xt, torch::cat({parts[0].detach(), parts[1]}, 1), t);  // [N]
  return static_cast<double>(bound.timesteps()) * term.mean();
}

}  // namespace sfumato
