#pragma once

#include <vector>

#include "elements.h"

namespace sfumato {

enum class Embedding { kNone, kAdded, kScaleAndShift, kBoth };

struct GroupNormShape {
  long long batch, pixels, channels, groups;
  long long offset = 0;
};

/// A call of the group norm with random tensors, and its exact twin.
template <class T>
class GroupNormCase {
 public:
  GroupNormCase(const GroupNormShape& shape, Embedding embedding, bool silu, double mean = 0.5)
      : shape_(shape),
        added_(embedding == Embedding::kAdded || embedding == Embedding::kBoth),
        scaled_(embedding == Embedding::kScaleAndShift || embedding == Embedding::kBoth),
        silu_(silu),
        x_(normal<T>(shape.batch * shape.pixels * shape.channels, 1, mean, 1.5, shape.offset)) {
    call_ = {.x = x_.data(),
             .y = y.data(),
             .weight = weight_.data(),
             .bias = bias_.data(),
             .added = added_ ? embeddings_.data() : nullptr,
             .scale = scaled_ ? embeddings_.data() + shape.channels : nullptr,
             .shift = scaled_ ? embeddings_.data() + 2 * shape.channels : nullptr,
             .embedding_stride = 3 * shape.channels,
             .batch = shape.batch,
             .pixels = shape.pixels,
             .channels = shape.channels,
             .groups = shape.groups,
             .eps = eps,
             .silu = silu,
             .dtype = dtype_of<T>(),
             .workspace = nullptr};
  }
  GroupNormCase(const GroupNormCase&) = delete;
  GroupNormCase& operator=(const GroupNormCase&) = delete;

  /// Runs the kernels with a workspace that holds NaN.
  int run() {
    Tensor<float> workspace(sfumato_cuda_group_norm_workspace(&call_));
    call_.workspace = workspace.data();
    return sfumato_cuda_group_norm(&call_, nullptr);
  }

  /// The exact y, whose `eps` may be another.
  std::vector<Exact> exact(double its_eps) const {
    std::vector<Exact> all(static_cast<std::size_t>(shape_.batch * shape_.pixels * shape_.channels));
    for (long long n = 0; n < shape_.batch; ++n)
      for (long long group = 0; group < shape_.groups; ++group) write_group(all, n, group, its_eps);
    return all;
  }

  static constexpr double eps = 1e-3;
  SfumatoGroupNorm& call() { return call_; }

 private:
  long long size() const { return shape_.channels / shape_.groups; }
  double embedding(int which, long long n, long long c) const {
    return embeddings_[(3 * n + which) * shape_.channels + c];
  }
  double input(long long n, long long p, long long c) const {
    return x_[(n * shape_.pixels + p) * shape_.channels + c] + (added_ ? embedding(0, n, c) : 0);
  }
  template <class Visit>
  void for_group(long long group, const Visit& visit) const {
    for (long long p = 0; p < shape_.pixels; ++p)
      for (long long c = group * size(); c < (group + 1) * size(); ++c) visit(p, c);
  }

  void write_group(std::vector<Exact>& all, long long n, long long group, double its_eps) const {
    const auto count = static_cast<double>(shape_.pixels * size());
    double mean = 0, variance = 0;
    for_group(group, [&](long long p, long long c) { mean += input(n, p, c) / count; });
    for_group(group, [&](long long p, long long c) { variance += std::pow(input(n, p, c) - mean, 2) / count; });
    for_group(group, [&](long long p, long long c) {
      const double factor = weight_[c] / std::sqrt(variance + its_eps), x = input(n, p, c);
      const double scale = scaled_ ? 1 + embedding(1, n, c) : 1, shift = scaled_ ? embedding(2, n, c) : 0;
      const double y = ((x - mean) * factor + bias_[c]) * scale + shift;
      const double added = added_ ? std::abs(embedding(0, n, c)) : 0;
      const double magnitude =
          ((std::abs(x) + 2 * added + std::abs(mean)) * std::abs(factor) + std::abs(bias_[c])) * std::abs(scale) +
          std::abs(shift);
      all[static_cast<std::size_t>((n * shape_.pixels + p) * shape_.channels + c)] = {
          .y = silu_ ? y / (1 + std::exp(-y)) : y, .magnitude = magnitude};
    });
  }

  GroupNormShape shape_;
  bool added_, scaled_, silu_;
  Tensor<T> x_;
  Tensor<T> weight_ = normal<T>(shape_.channels, 2, 1, 0.5), bias_ = normal<T>(shape_.channels, 3);
  Tensor<T> embeddings_ = normal<T>(3 * shape_.batch * shape_.channels, 4);  // added, scale and shift in each row
  SfumatoGroupNorm call_{};

 public:
  Tensor<T> y{shape_.batch * shape_.pixels * shape_.channels, shape_.offset};
};

}  // namespace sfumato
