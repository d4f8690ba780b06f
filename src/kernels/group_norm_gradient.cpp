#include "kernels/group_norm_gradient.h"

#include "kernels/group_norm_loops.h"

namespace sfumato::group_norm {
namespace {

using Tensor = torch::Tensor;

/// Rows of a map by which the loops read one image.
const float* row_of(const Tensor& rows, std::int64_t image) {
  return rows.const_data_ptr<float>() + image * rows.size(1);
}

Affine affine_of(const ForwardPass& pass, std::int64_t image) {
  return {row_of(pass.map.factor, image), row_of(pass.map.shift, image), pass.silu};
}

/// Sums of dz and of dz (x - centre) over each image's pixels, where dz is the gradient before SiLU: float64 [N, 2, C].
template <class T>
Tensor gradient_moments(const ForwardPass& pass, const Tensor& dy) {
  const auto channels = pass.x.size(1);
  const auto *x = pass.x.const_data_ptr<T>(), *outputs = dy.const_data_ptr<T>();
  return sum_chunks(pass.x,
                    [&](std::int64_t image, std::int64_t first, std::int64_t count, float* sums, float* products) {
                      const auto at = first * channels;
                      add_gradient_moments({x + at, outputs + at, count, channels}, affine_of(pass, image),
                                           row_of(pass.map.centre, image), sums, products);
                    });
}

/// factor dz + slope (x - centre) + offset; slope and offset: float32 [N, C].
template <class T>
Tensor mapped_gradient(const ForwardPass& pass, const Tensor& dy, const Tensor& slope, const Tensor& offset) {
  const auto channels = pass.x.size(1);
  auto dx = torch::empty_like(pass.x, pass.x.options(), at::MemoryFormat::ChannelsLast);
  const auto *x = pass.x.const_data_ptr<T>(), *outputs = dy.const_data_ptr<T>();
  auto* to = dx.mutable_data_ptr<T>();
  for_chunks(pass.x, [&](std::int64_t image, std::int64_t, std::int64_t first, std::int64_t count) {
    const GradientMap map{affine_of(pass, image), row_of(pass.map.centre, image), row_of(slope, image),
                          row_of(offset, image)};
    const auto at = first * channels;
    apply_gradient({x + at, outputs + at, count, channels}, map, to + at);
  });
  return dx;
}

/// Terms of a norm's gradient, float32 [N, C]: its slope and offset, and the sums over pixels of the gradients of z, of
/// z times xhat, and of x.
struct Terms {
  Tensor slope, offset, sums, products, totals;
};

// With z = (weight xhat + bias) (1 + scale) + shift and xhat = inverse_std (x - centre), the gradient of x is
// inverse_std (g - mean(g) - xhat mean(g xhat)), where g = weight (1 + scale) dz and the means are over a group.
Terms terms_of(const ForwardPass& pass, const Tensor& moments, std::int64_t groups) {
  const auto images = pass.x.size(0), channels = pass.x.size(1), width = channels / groups;
  const auto rows = [&] { return torch::empty({images, channels}, torch::kFloat32); };
  Terms terms{rows(), rows(), rows(), rows(), rows()};
  const auto data_of = [](const Tensor& tensor) { return tensor.mutable_data_ptr<float>(); };
  auto *slope = data_of(terms.slope), *offset = data_of(terms.offset), *totals = data_of(terms.totals);
  auto *sums = data_of(terms.sums), *products = data_of(terms.products);
  const Values factor(pass.map.factor), centre(pass.map.centre), origin(pass.moments.origin);
  const Sums gradient(moments), inputs(pass.moments.sums);
  const auto* inverse_stds = pass.map.inverse_std.const_data_ptr<double>();
  const auto pixels = static_cast<double>(pixels_of(pass.x)), count = pixels * static_cast<double>(width);
  for (std::int64_t group = 0; group < images * groups; ++group) {
    const auto begin = group * width, end = begin + width;
    const auto inverse_std = inverse_stds[group];
    double sum = 0, product = 0;
    for (auto i = begin; i < end; ++i) {
      sum += factor[i] * gradient.first(i) / count;
      product += factor[i] * gradient.second(i) / count;
    }
    const auto group_slope = -product * inverse_std * inverse_std;
    for (auto i = begin; i < end; ++i) {
      slope[i] = static_cast<float>(group_slope);
      offset[i] = static_cast<float>(-sum);
      sums[i] = static_cast<float>(gradient.first(i));
      products[i] = static_cast<float>(gradient.second(i) * inverse_std);
      const auto centred = inputs.first(i) + (origin[i] - centre[i]) * pixels;  // sum of x - centre
      totals[i] = static_cast<float>(factor[i] * gradient.first(i) + group_slope * centred - sum * pixels);
    }
  }
  return terms;
}

}  // namespace

InputGradients gradients_of(const ForwardPass& pass, const Tensor& dy, const GroupNormParameters& parameters,
                            const GroupNormFusion& fusion) {
  const bool narrow = pass.x.scalar_type() == torch::kBFloat16;
  const auto terms = terms_of(
      pass, narrow ? gradient_moments<at::BFloat16>(pass, dy) : gradient_moments<float>(pass, dy), parameters.groups);
  InputGradients gradients;
  gradients.x = narrow ? mapped_gradient<at::BFloat16>(pass, dy, terms.slope, terms.offset)
                       : mapped_gradient<float>(pass, dy, terms.slope, terms.offset);
  if (fusion.added.defined()) gradients.added = terms.totals.to(fusion.added.scalar_type());
  if (fusion.scale.defined()) {
    const auto scale = fusion.scale.to(torch::kFloat32);
    gradients.scale =
        (terms.products * parameters.weight + terms.sums * parameters.bias).to(fusion.scale.scalar_type());
    gradients.shift = terms.sums.to(fusion.shift.scalar_type());
    gradients.weight = (terms.products * (1 + scale)).sum(0).to(parameters.weight.scalar_type());
    gradients.bias = (terms.sums * (1 + scale)).sum(0).to(parameters.bias.scalar_type());
  } else {
    gradients.weight = terms.products.sum(0).to(parameters.weight.scalar_type());
    gradients.bias = terms.sums.sum(0).to(parameters.bias.scalar_type());
  }
  return gradients;
}

}  // namespace sfumato::group_norm
