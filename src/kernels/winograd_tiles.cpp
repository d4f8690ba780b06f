#include "kernels/winograd_tiles.h"

#include "kernels/one_dnn.h"

namespace sfumato::winograd {

torch::Tensor empty_points(std::int64_t rows, std::int64_t columns) {
  return torch::empty({kPoints, rows + 1, columns}, torch::kFloat32).narrow(1, 0, rows);
}

torch::Tensor product(const torch::Tensor& x, const torch::Tensor& weight) {
  if (auto y = one_dnn_linear(x, weight, {})) return *y;
  return torch::linear(x, weight);
}

}  // namespace sfumato::winograd
