#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// Distances between two sets of images by their features, [N, D] and [M, D] of any floating dtype, computed in
/// float64. They agree with torch-fidelity's on the same features. Each throws std::invalid_argument if a set has fewer
/// features than it needs, or the widths differ.

/// Fréchet distance of Gaussians fitted to the features (Heusel et al. 2017, FID with Inception's features). Needs at
/// least two of each; few features bias it upwards.
double frechet_distance(const torch::Tensor& real, const torch::Tensor& generated);

/// Squared maximum mean discrepancy with the kernel (x.y / D + 1)^3, unbiased, over all features (Bińkowski et al.
/// 2018, KID with Inception's features). Equals torch-fidelity's KID of one subset of all features. Needs two of each.
double kernel_distance(const torch::Tensor& real, const torch::Tensor& generated);

/// Shares of the generated images that lie among the real ones, and of the real ones that lie among the generated
/// (Kynkäänniemi et al. 2019, section 2), with balls that reach to the k-th nearest neighbour.
struct PrecisionRecall {
  double precision = 0, recall = 0;
};
/// Needs more than `k` of each.
PrecisionRecall precision_recall(const torch::Tensor& real, const torch::Tensor& generated, std::int64_t k = 3);

}  // namespace sfumato
