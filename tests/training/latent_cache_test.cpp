#include "training/latent_cache.h"

#include <gtest/gtest.h>

#include "core/random.h"
#include "training/network_parameters.h"

namespace sfumato {
namespace {

AutoencoderKLConfig small_config() {
  AutoencoderKLConfig config;
  config.block_out_channels = {8, 8};
  config.norm_num_groups = 4;
  config.latent_channels = 3;
  return config;
}

AutoencoderKL small_vae(const AutoencoderKLConfig& config) {
  AutoencoderKL vae(config);
  prepare_for_training(*vae, seeded_generator(1), torch::kCPU);
  return vae;
}

TEST(StandardiseLatents, GivesZeroMeanUnitDeviationLatentsOfTheSameAutoencoder) {
  const torch::NoGradGuard no_grad;
  auto vae = small_vae(small_config());
  const auto x = torch::randn({6, 3, 16, 16}, seeded_generator(2), torch::kFloat32);
  const auto before = vae->encode(x);
  const auto picture = vae->decode(before.mean);
  const auto mean = before.mean.mean({0, 2, 3});
  const auto deviation = before.mean.transpose(0, 1).flatten(1).std(1, /*unbiased=*/false);
  ASSERT_TRUE(standardise_latents(*vae, mean, deviation));
  const auto after = vae->encode(x);
  EXPECT_LT(after.mean.mean({0, 2, 3}).abs().max().item<double>(), 1e-4);
  const auto deviations = after.mean.transpose(0, 1).flatten(1).std(1, /*unbiased=*/false);
  EXPECT_LT((deviations - 1).abs().max().item<double>(), 1e-4);
  EXPECT_TRUE(torch::allclose(vae->decode(after.mean), picture, 1e-4, 1e-5));
  const auto variance_ratio = (after.logvar - before.logvar).exp();
  EXPECT_TRUE(
      torch::allclose(variance_ratio, deviation.pow(-2).reshape({1, -1, 1, 1}).expand_as(variance_ratio), 1e-3));
}

TEST(StandardiseLatents, LeavesAnAutoencoderWithoutQuantConvAlone) {
  auto config = small_config();
  config.use_quant_conv = false;
  auto vae = small_vae(config);
  EXPECT_FALSE(standardise_latents(*vae, torch::zeros(3), torch::ones(3)));
}

}  // namespace
}  // namespace sfumato
