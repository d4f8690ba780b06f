#include "core/random.h"
#include "models/autoencoder_kl.h"
#include "models/clip_text_model.h"
#include "models/controlnet_model.h"
#include "models/t5_encoder_model.h"
#include "models/unet_2d_condition_model.h"
#include "models/unet_2d_model.h"
#include "nn/compared.h"
#include "nn/init.h"
#include "small_unet.h"

namespace sfumato {
namespace {

UNet2DConditionModelConfig unet_config() {
  return small_unet_config({.width = 32, .attention_head_dim = 4, .cross_attention_dim = 24});
}

torch::Tensor normal(at::IntArrayRef shape, std::uint64_t seed) {
  return torch::randn(shape, seeded_generator(seed), torch::kFloat32);
}

/// Inputs in float32 like a sampler's state: networks convert them to their own dtype.
UNet2DConditionInput input_at(const Placement& placement, std::uint64_t text = 3) {
  UNet2DConditionInput input;
  input.sample = normal({2, 4, 16, 16}, 2).to(placement.device);
  input.timestep = torch::tensor({3.F, 700.5F}).to(placement.device);
  input.encoder_hidden_states = normal({2, 7, 24}, text).to(placement.device);
  return input;
}

template <class Network>
Network initialized(Network network) {
  initialize(*network, seeded_generator(1));
  return network;
}

AutoencoderKL autoencoder() {
  AutoencoderKLConfig config;
  config.block_out_channels = {16, 32};
  config.norm_num_groups = 8;
  return initialized(AutoencoderKL(config));
}

class NetworksOn : public OnPlacement {
 protected:
  void expect_near(const Compared& compared, double layers) const {
    EXPECT_TRUE(compared.is_at(GetParam())) << compared.actual.options() << compared.actual.strides();
    EXPECT_LE(compared.error(), tolerance(GetParam().dtype, layers));
  }
};

TEST_P(NetworksOn, UNet2DConditionModel) {
  auto unet = initialized(UNet2DConditionModel(unet_config()));
  const auto compared = compare(unet, GetParam(), [&](const Placement& at) { return unet->forward(input_at(at)); });
  // 10 resnets and 5 transformers in sequence: some 80 layers.
  expect_near(compared, 80);
  const torch::NoGradGuard no_grad;
  const auto of_other_text = unet->forward(input_at(GetParam(), 4));
  EXPECT_GT(relative_error(of_other_text, compared.expected), tolerance(GetParam().dtype, 80)) << "the text counts";
}

TEST_P(NetworksOn, UNet2DModel) {
  UNet2DModelConfig config;
  config.block_out_channels = {32, 64};
  config.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
  config.up_block_types = {"AttnUpBlock2D", "UpBlock2D"};
  config.in_channels = config.out_channels = 4;
  config.norm_num_groups = 8;
  auto unet = initialized(UNet2DModel(config));
  expect_near(compare(unet, GetParam(),
                      [&](const Placement& at) { return unet->forward(input_at(at).sample, input_at(at).timestep); }),
              80);
}

TEST_P(NetworksOn, ControlNetModel) {
  ControlNetModelConfig config{.unet = unet_config()};
  config.conditioning_embedding_out_channels = {8, 16};
  auto network = initialized(ControlNetModel(config));
  const auto picture = torch::rand({1, 3, 32, 32}, seeded_generator(5), torch::kFloat32);
  const auto compared = compare(network, GetParam(), [&](const Placement& at) {
    return network->forward(input_at(at), network->embed(picture.to(at.device))).mid_block_res_sample;
  });
  expect_near(compared, 50);
}

TEST_P(NetworksOn, AutoencoderKLDecodes) {
  auto vae = autoencoder();
  const auto z = normal({1, 4, 16, 16}, 2);
  const auto decoded = [&](const Placement& at) { return vae->decode(z.to(at.device, at.dtype)); };
  expect_near(compare(vae, GetParam(), decoded), 30);
}

TEST_P(NetworksOn, AutoencoderKLDecodesInTiles) {
  auto vae = autoencoder();
  const auto z = normal({1, 4, 16, 16}, 2);
  const auto decoded = [&](const Placement& at) {
    return vae->decode(z.to(at.device, at.dtype), VaeTiling{.sample_size = 16});
  };
  const auto whole = [&] {
    const torch::NoGradGuard no_grad;
    return vae->decode(z);
  }();
  const auto compared = compare(vae, GetParam(), decoded);
  expect_near(compared, 30);
  EXPECT_GT(relative_error(compared.actual, whole), tolerance(GetParam().dtype, 30)) << "tiles were made";
}

/// Errors of tiles of 32 pixels against the whole.
struct TileErrors {
  double own;
  double shared;
};

TileErrors tile_errors(const std::function<torch::Tensor(const std::optional<VaeTiling>&)>& result) {
  const torch::NoGradGuard no_grad;
  const auto whole = result(std::nullopt);
  const VaeTiling own{.sample_size = 32, .shared_statistics = false}, shared{.sample_size = 32};
  return {relative_error(result(own), whole), relative_error(result(shared), whole)};
}

/// Image of low contrast on the left and high contrast on the right, so that the statistics of tiles differ.
torch::Tensor uneven(at::IntArrayRef shape) {
  return normal(shape, 2) * torch::linspace(.05, 2, shape.back());
}

// On the shipped model, 9 dB are a factor of 2.8 when decoding, 4 to 17 dB one of 1.6 to 7 when encoding.
TEST(AutoencoderKLInTiles, DecodesNearerToTheWholeWithSharedStatistics) {
  auto vae = autoencoder();
  const auto z = uneven({1, 4, 32, 32});
  const auto errors = tile_errors([&](const auto& tiling) { return vae->decode(z, tiling); });
  EXPECT_GT(errors.shared, 0);
  EXPECT_LT(errors.shared, errors.own / 1.5);
}

TEST(AutoencoderKLInTiles, EncodesNearerToTheWholeWithSharedStatistics) {
  auto vae = autoencoder();
  const auto image = uneven({1, 3, 64, 64});
  const auto errors = tile_errors([&](const auto& tiling) { return vae->encode(image, tiling).mean; });
  EXPECT_GT(errors.shared, 0);
  EXPECT_LT(errors.shared, errors.own / 1.5);
}

TEST_P(NetworksOn, AutoencoderKLEncodes) {
  auto vae = autoencoder();
  const auto image = normal({1, 3, 32, 32}, 2);
  const auto moments = [&](const Placement& at) {
    const auto posterior = vae->encode(image.to(at.device, at.dtype));
    return torch::cat({posterior.mean, posterior.logvar}, 1);
  };
  expect_near(compare(vae, GetParam(), moments), 30);
}

TEST_P(NetworksOn, ClipTextModel) {
  CLIPTextModelConfig config{.vocab_size = 60,
                             .hidden_size = 32,
                             .intermediate_size = 64,
                             .projection_dim = 16,
                             .num_hidden_layers = 2,
                             .num_attention_heads = 4,
                             .max_position_embeddings = 12};
  config.eos_token_id = 59;
  auto model = initialized(CLIPTextModelWithProjection(config));
  // Two end-of-text tokens: the first one is used.
  const auto ids = torch::tensor({{58L, 3L, 17L, 59L, 59L}, {58L, 2L, 59L, 59L, 59L}});
  const auto states = [&](const Placement& at) { return model->forward(ids.to(at.device)).last_hidden_state; };
  expect_near(compare(model, GetParam(), states), 16);
  auto other = initialized(CLIPTextModelWithProjection(config));
  const auto pooled = [&](const Placement& at) { return other->forward(ids.to(at.device)).pooler_output; };
  expect_near(compare(other, GetParam(), pooled), 17);
}

TEST_P(NetworksOn, T5EncoderModel) {
  for (const std::string kind : {"relu", "gated-gelu"}) {
    T5EncoderModel model(T5EncoderModelConfig{.vocab_size = 60,
                                              .d_model = 32,
                                              .d_kv = 8,
                                              .d_ff = 64,
                                              .num_layers = 2,
                                              .num_heads = 4,
                                              .feed_forward_proj = kind});
    initialize(*model, seeded_generator(1));
    const auto ids = torch::tensor({{7L, 3L, 17L, 1L, 0L}, {9L, 1L, 0L, 0L, 0L}});
    const auto states = [&](const Placement& at) {
      return model->forward(ids.to(at.device), (ids != 0).to(torch::kInt64).to(at.device));
    };
    expect_near(compare(model, GetParam(), states), 16);
  }
}

INSTANTIATE_TEST_SUITE_P(Placements, NetworksOn, testing::ValuesIn(placements()), placement_name);

}  // namespace
}  // namespace sfumato
