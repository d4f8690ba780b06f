#include "training/loading/latent_cache.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "checkpoints/safetensors.h"
#include "checkpoints/save.h"
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
  const auto image = vae->decode(before.mean);
  const auto mean = before.mean.mean({0, 2, 3});
  const auto std_dev = before.mean.transpose(0, 1).flatten(1).std(1, /*unbiased=*/false);
  ASSERT_TRUE(standardise_latents(*vae, mean, std_dev));
  const auto after = vae->encode(x);
  EXPECT_LT(after.mean.mean({0, 2, 3}).abs().max().item<double>(), 1e-4);
  const auto std_devs = after.mean.transpose(0, 1).flatten(1).std(1, /*unbiased=*/false);
  EXPECT_LT((std_devs - 1).abs().max().item<double>(), 1e-4);
  EXPECT_TRUE(torch::allclose(vae->decode(after.mean), image, 1e-4, 1e-5));
  const auto variance_ratio = (after.logvar - before.logvar).exp();
  EXPECT_TRUE(torch::allclose(variance_ratio, std_dev.pow(-2).reshape({1, -1, 1, 1}).expand_as(variance_ratio), 1e-3));
}

TEST(StandardiseLatents, LeavesAnAutoencoderWithoutQuantConvAlone) {
  auto config = small_config();
  config.use_quant_conv = false;
  auto vae = small_vae(config);
  EXPECT_FALSE(standardise_latents(*vae, torch::zeros(3), torch::ones(3)));
}

TEST(LatentCache, NetworksOfAnotherShapeAreRefusedByTheirKey) {
  const auto refusal = [](const auto& check) -> std::string {
    try {
      check();
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  const auto latents = torch::zeros({2, 4, 8, 8});
  EXPECT_EQ(refusal([&] { check_latent_channels(latents, "'in_channels'", 4); }), "");
  EXPECT_EQ(refusal([&] { check_latent_channels(latents, "'in_channels'", 3); }),
            "'in_channels' is 3; expected the autoencoder's 'latent_channels', 4");
  EXPECT_EQ(refusal([&] { check_latent_channels(latents, "'out_channels'", 8, /*and_variance=*/true); }), "");
  EXPECT_EQ(refusal([&] { check_latent_channels(latents, "'out_channels'", 4, /*and_variance=*/true); }),
            "'out_channels' is 4; expected twice the autoencoder's 'latent_channels', 8");
  EXPECT_EQ(refusal([&] { check_latent_side(latents, "'sample_size'", 8); }), "");
  EXPECT_EQ(refusal([&] { check_latent_side(latents, "'sample_size'", 16); }),
            "'sample_size' is 16; expected 8, the side of the latents");
}

/// More images of 8 x 8 pixels than one part of the cache holds.
constexpr std::int64_t kImages = 1100;

void write_images(const std::filesystem::path& path) {
  const auto bytes = torch::zeros({1}, torch::kUInt8);
  const auto one_each = torch::arange(kImages + 1, torch::kInt64).clamp_max(1);
  write_safetensors(
      path,
      {{"images", torch::randint(0, 256, {kImages, 3, 8, 8}, seeded_generator(3), torch::kFloat32).to(torch::kUInt8)},
       {"captions.ids", torch::zeros({kImages, 2}, torch::kInt32)},
       {"captions.bytes", bytes},
       {"captions.offsets", one_each},
       {"empty.ids", torch::zeros({2}, torch::kInt32)},
       {"probes.ids", torch::zeros({1, 2}, torch::kInt32)},
       {"probes.bytes", bytes},
       {"probes.offsets", torch::tensor({0, 1}, torch::kInt64)},
       {"split.held_out", torch::tensor({0}, torch::kInt64)}},
      {{"format", "sfumato-pack"}, {"version", "1"}});
}

/// Fixture of an autoencoder and images in a folder that is removed after the test.
class CachedLatents : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    const auto vae = small_vae(small_config());
    std::map<std::string, torch::Tensor> weights;
    for (const auto& item : vae->named_parameters()) weights[item.key()] = item.value().detach();
    save_weights(weights, folder_ / "vae");
    write_json(folder_ / "vae" / "config.json", small_config().to_json());
    write_images(folder_ / "pack");
    pack_ = (folder_ / "pack").string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  torch::Tensor latents_of(const std::string& run, const OnEncoded& on_encoded = {}) {
    Pack pack(pack_, 8);
    return cache_latents(RunFolder(folder_ / run), (folder_ / "vae").string(), latent_source(pack, torch::kCPU),
                         on_encoded)
        .latents;
  }

  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / "sfumato-cached-latents";
  std::string pack_;
};

TEST_F(CachedLatents, OfARunThatStoppedWhileItEncodedGoOnWhereItWasAndComeOutTheSame) {
  const auto whole = latents_of("whole");
  EXPECT_THROW(latents_of("stopped",
                          [](std::int64_t done, std::int64_t total) {
                            EXPECT_EQ(total, kImages);
                            if (done > 1024) throw std::runtime_error("stopped");
                          }),
               std::runtime_error);
  EXPECT_TRUE(RunFolder(folder_ / "stopped").is_begun());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "stopped" / "latents.safetensors"));
  std::vector<std::int64_t> heard;
  const auto continued = latents_of("stopped", [&](std::int64_t done, std::int64_t) { heard.push_back(done); });
  EXPECT_EQ(heard, (std::vector<std::int64_t>{1024, 1056, 1088, 1100}));
  EXPECT_TRUE(torch::equal(continued, whole));
  EXPECT_FALSE(std::filesystem::exists(RunFolder(folder_ / "stopped").unfinished_latents()));
}

TEST_F(CachedLatents, AreReadAgainAndEncodedAnewForOtherImages) {
  const auto once = latents_of("run");
  EXPECT_TRUE(torch::equal(latents_of("run", [](std::int64_t, std::int64_t) { FAIL() << "encoded again"; }), once));
  std::filesystem::rename(folder_ / "pack", folder_ / "renamed");
  pack_ = (folder_ / "renamed").string();
  bool encoded = false;
  latents_of("run", [&](std::int64_t, std::int64_t) { encoded = true; });
  EXPECT_TRUE(encoded);
}

}  // namespace
}  // namespace sfumato
