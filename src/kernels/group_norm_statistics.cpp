#include "kernels/group_norm_statistics.h"

#include <algorithm>
#include <cmath>

#include "kernels/group_norm_loops.h"

namespace sfumato::group_norm {
namespace {

using Tensor = torch::Tensor;

template <class T>
Tensor sums_of(const Tensor& x, const Tensor& origin) {
  const auto channels = x.size(1);
  const auto* from = x.const_data_ptr<T>();
  const auto* origins = origin.const_data_ptr<float>();
  return sum_chunks(x, [&](std::int64_t image, std::int64_t first, std::int64_t count, float* sums, float* squares) {
    add_moments(from + first * channels, count, channels, origins + image * channels, sums, squares);
  });
}

template <class T>
Tensor mapped(const Tensor& x, const NormAffine& map) {
  const auto channels = x.size(1);
  auto y = torch::empty_like(x, x.options(), at::MemoryFormat::ChannelsLast);
  const auto* from = x.const_data_ptr<T>();
  auto* to = y.mutable_data_ptr<T>();
  const auto *factors = map.factor.const_data_ptr<float>(), *shifts = map.shift.const_data_ptr<float>();
  for_chunks(x, [&](std::int64_t image, std::int64_t, std::int64_t first, std::int64_t count) {
    const Affine affine{factors + image * channels, shifts + image * channels, map.silu};
    apply(from + first * channels, count, channels, affine, to + first * channels);
  });
  return y;
}

}  // namespace

Moments moments_of(const Tensor& x) {
  const auto origin = x.select(3, 0).select(2, 0).to(torch::kFloat32).contiguous();
  const bool narrow = x.scalar_type() == torch::kBFloat16;
  return {origin, narrow ? sums_of<at::BFloat16>(x, origin) : sums_of<float>(x, origin)};
}

NormMap map_of(const Moments& moments, std::int64_t pixels, const GroupNormParameters& parameters,
               const GroupNormFusion& fusion) {
  const auto images = moments.origin.size(0), channels = moments.origin.size(1), width = channels / parameters.groups;
  const auto rows = [&] { return torch::empty({images, channels}, torch::kFloat32); };
  NormMap map{rows(), rows(), rows(), torch::empty({images, parameters.groups}, torch::kFloat64)};
  auto *factor = map.factor.mutable_data_ptr<float>(), *shift = map.shift.mutable_data_ptr<float>();
  auto* centre = map.centre.mutable_data_ptr<float>();
  auto* inverse_stds = map.inverse_std.mutable_data_ptr<double>();
  const Values origin(moments.origin), weight(parameters.weight), bias(parameters.bias), added(fusion.added),
      scale(fusion.scale), shifted(fusion.shift);
  const Sums sums(moments.sums);
  const auto count = static_cast<double>(pixels), size = static_cast<double>(width);
  for (std::int64_t group = 0; group < images * parameters.groups; ++group) {
    const auto begin = group * width, end = begin + width;
    double mean = 0, variance = 0;
    for (auto i = begin; i < end; ++i) mean += (sums.first(i) / count + origin[i] + added[i]) / size;
    for (auto i = begin; i < end; ++i) {
      const auto offset = origin[i] + added[i] - mean;
      variance += ((sums.second(i) + 2 * offset * sums.first(i)) / count + offset * offset) / size;
    }
    const auto inverse_std = 1 / std::sqrt(std::max(0.0, variance) + parameters.eps);
    inverse_stds[group] = inverse_std;
    for (auto i = begin; i < end; ++i) {
      const auto slope = inverse_std * weight[i % channels];
      factor[i] = static_cast<float>(slope * (1 + scale[i]));
      shift[i] = static_cast<float>(((added[i] - mean) * slope + bias[i % channels]) * (1 + scale[i]) + shifted[i]);
      centre[i] = static_cast<float>(mean - added[i]);
    }
  }
  return map;
}

Tensor apply_map(const Tensor& x, const NormAffine& map) {
  return x.scalar_type() == torch::kBFloat16 ? mapped<at::BFloat16>(x, map) : mapped<float>(x, map);
}

}  // namespace sfumato::group_norm
