#pragma once

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>

#include "kernels/group_norm.h"
#include "kernels/parallel.h"

/// The sums over pixels of a channels-last image from which a group norm and its gradient are computed.
namespace sfumato::group_norm {

// Pixels whose moments are summed in float32, before they are added up in float64.
constexpr std::int64_t kChunk = 256;

inline std::int64_t pixels_of(const torch::Tensor& x) {
  return x.size(2) * x.size(3);
}

/// Calls function(image, chunk, first pixel of x [N H W, C], number of pixels) for each chunk of each image.
template <class Function>
void for_chunks(const torch::Tensor& x, const Function& function) {
  const auto pixels = pixels_of(x), chunks = (pixels + kChunk - 1) / kChunk;
  parallel_for(x.size(0) * chunks, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const auto image = i / chunks, chunk = i % chunks, first = chunk * kChunk;
      function(image, chunk, image * pixels + first, std::min(kChunk, pixels - first));
    }
  });
}

/// Two sums for each channel of each image, float64 [N, 2, C]. Calls add(image, first pixel, number of pixels, first
/// sums, second sums) for each chunk.
template <class Add>
torch::Tensor sum_chunks(const torch::Tensor& x, const Add& add) {
  const auto channels = x.size(1), chunks = (pixels_of(x) + kChunk - 1) / kChunk;
  const auto partial = torch::zeros({x.size(0), chunks, 2, channels}, torch::kFloat32);
  auto* const to = partial.mutable_data_ptr<float>();
  for_chunks(x, [&](std::int64_t image, std::int64_t chunk, std::int64_t first, std::int64_t count) {
    auto* sums = to + (image * chunks + chunk) * 2 * channels;
    add(image, first, count, sums, sums + channels);
  });
  return partial.sum(1, /*keepdim=*/false, torch::kFloat64);
}

/// Sums of x - origin and of its square over each image's pixels. `origin` is each image's first pixel, which keeps the
/// squares of values far from zero from cancelling.
struct Moments {
  torch::Tensor origin;  // float32 [N, C]
  torch::Tensor sums;    // float64 [N, 2, C]
};

/// Computes them for x [N, C, H, W], float32 or bfloat16, channels-last.
Moments moments_of(const torch::Tensor& x);

/// The map of each channel that the norm and its fusion amount to, and values that its gradient needs: float32 [N, C],
/// but for `inverse_std`.
struct NormMap {
  torch::Tensor factor, shift;  // y = factor x + shift, before SiLU
  torch::Tensor centre;         // value of x that the norm maps to zero: the mean of x + added, less added
  torch::Tensor inverse_std;    // of x + added in each group: float64 [N, groups]
};

NormMap map_of(const Moments& moments, std::int64_t pixels, const GroupNormParameters& parameters,
               const GroupNormFusion& fusion);

/// Applies a map to x as for moments_of.
torch::Tensor apply_map(const torch::Tensor& x, const NormAffine& map);

/// Values of a tensor in float32, in order, or one value in place of an undefined tensor.
class Values {
 public:
  explicit Values(const torch::Tensor& tensor, float otherwise = 0) : otherwise_(otherwise) {
    if (tensor.defined()) values_ = tensor.to(torch::kFloat32).contiguous();
    data_ = tensor.defined() ? values_.const_data_ptr<float>() : nullptr;
  }
  double operator[](std::int64_t index) const { return data_ == nullptr ? otherwise_ : data_[index]; }

 private:
  torch::Tensor values_;
  const float* data_;
  float otherwise_;
};

/// Two sums of each channel of each image, as sum_chunks returns them. An index counts the channels of all images.
class Sums {
 public:
  explicit Sums(const torch::Tensor& sums) : data_(sums.const_data_ptr<double>()), channels_(sums.size(2)) {}
  double first(std::int64_t index) const { return data_[index / channels_ * 2 * channels_ + index % channels_]; }
  double second(std::int64_t index) const { return data_[(index / channels_ * 2 + 1) * channels_ + index % channels_]; }

 private:
  const double* data_;
  std::int64_t channels_;
};

}  // namespace sfumato::group_norm
