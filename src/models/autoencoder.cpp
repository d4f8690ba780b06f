#include "models/autoencoder.h"

#include "nn/shared_statistics.h"

namespace sfumato {
namespace {

/// Returns values as [1, C, 1, 1] with z's device and dtype, or `otherwise` [1, 1, 1, 1] if there are none.
torch::Tensor per_channel(const std::vector<double>& values, double otherwise, const torch::Tensor& z) {
  if (values.empty()) return torch::full({1, 1, 1, 1}, otherwise, z.options());
  return torch::tensor(values, torch::kFloat64).to(z.options()).view({1, -1, 1, 1});
}

}  // namespace

DiagonalGaussian::DiagonalGaussian(const torch::Tensor& moments) {
  const auto halves = moments.chunk(2, 1);
  mean = halves[0];
  logvar = halves[1].clamp(-30.0, 20.0);
}

DiagonalGaussian DiagonalGaussian::point(const torch::Tensor& mean) {
  DiagonalGaussian posterior;
  posterior.mean = mean;
  return posterior;
}

torch::Tensor DiagonalGaussian::sample(const torch::Tensor& noise) const {
  return is_point() ? mean : mean + (0.5 * logvar).exp() * noise.to(mean.options());
}

torch::Tensor DiagonalGaussian::kl() const {
  return 0.5 * (mean.square() + logvar.exp() - 1.0 - logvar).sum({1, 2, 3});
}

torch::Tensor Autoencoder::in_tiles(const torch::Tensor& x, const TileSizes& sizes, const VaeTiling& tiling,
                                    const TileMap& map) {
  std::optional<SharedStatistics> whole;
  if (tiling.shared_statistics && has_image_statistics()) whole.emplace([&] { map(thinned_out(x, sizes.from)); });
  return map_tiles(x, sizes, map);
}

DiagonalGaussian Autoencoder::encode(const torch::Tensor& x, const std::optional<VaeTiling>& tiling) {
  const OffloadedWeights::OnDevice on_device(offloaded_.get());
  const auto factor = config().downscale_factor();
  if (!tiling || !needs_tiles(*tiling, x.size(2), x.size(3), factor)) return posterior_of(encoder_output(x));
  const TileSizes sizes{tiling->sample_size, tiling->sample_size / factor, tiling->overlap_factor};
  return posterior_of(in_tiles(x, sizes, *tiling, [&](const torch::Tensor& tile) { return encoder_output(tile); }));
}

torch::Tensor Autoencoder::decode(const torch::Tensor& z, const std::optional<VaeTiling>& tiling) {
  const OffloadedWeights::OnDevice on_device(offloaded_.get());
  const auto factor = config().downscale_factor();
  if (!tiling || !needs_tiles(*tiling, z.size(2) * factor, z.size(3) * factor, factor)) return decoder_output(z);
  const TileSizes sizes{tiling->sample_size / factor, tiling->sample_size, tiling->overlap_factor};
  return in_tiles(z, sizes, *tiling, [&](const torch::Tensor& tile) { return decoder_output(tile); });
}

torch::Tensor Autoencoder::scale(const torch::Tensor& z) const {
  const auto& of = config();
  if (of.latents_mean.empty() && of.latents_std.empty())
    return (of.shift_factor == 0 ? z : z - of.shift_factor) * of.scaling_factor;
  const auto mean = per_channel(of.latents_mean, of.shift_factor, z);
  return (z - mean) * of.scaling_factor / per_channel(of.latents_std, 1.0, z);
}

torch::Tensor Autoencoder::unscale(const torch::Tensor& latents) const {
  const auto& of = config();
  if (of.latents_mean.empty() && of.latents_std.empty()) {
    const auto z = latents / of.scaling_factor;
    return of.shift_factor == 0 ? z : z + of.shift_factor;
  }
  const auto mean = per_channel(of.latents_mean, of.shift_factor, latents);
  return latents * per_channel(of.latents_std, 1.0, latents) / of.scaling_factor + mean;
}

}  // namespace sfumato
