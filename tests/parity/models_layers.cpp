#include <gtest/gtest.h>

#include "checkpoints/safetensors.h"
#include "nn/attention.h"
#include "nn/embeddings.h"
#include "nn/resnet.h"
#include "nn/transformer.h"
#include "parity/compare.h"

namespace sfumato {
namespace {

class LayerParity : public testing::Test {
 protected:
  torch::NoGradGuard no_grad_;
  SafetensorsFile golden_{parity_folder() / "layers" / "golden.safetensors"};
  torch::Tensor image_ = golden_.tensor("image");    // [2, 12, 6, 10]
  torch::Tensor temb_ = golden_.tensor("temb");      // [2, 10]
  torch::Tensor tokens_ = golden_.tensor("tokens");  // [2, 5, 12]
  torch::Tensor states_ = golden_.tensor("states");  // [2, 7, 10]

  /// The layer with the weights that the reference calls `name`; both have the same parameters.
  template <class Holder>
  Holder filled(Holder layer, const std::string& name) {
    const auto prefix = name + "/weights/";
    std::size_t expected = 0;
    for (const auto& key : golden_.names()) expected += key.rfind(prefix, 0) == 0;
    EXPECT_EQ(layer->named_parameters().size(), expected);
    for (auto& parameter : layer->named_parameters())
      parameter.value().set_data(golden_.tensor(prefix + parameter.key()));
    return layer;
  }

  void expect_same(const torch::Tensor& actual, const std::string& name) {
    EXPECT_LE(relative_error(actual, golden_.tensor(name)), kLayerTolerance) << name;
  }
};

TEST_F(LayerParity, TimestepEmbedding) {
  const auto t = golden_.tensor("timesteps");
  expect_same(timestep_embedding(t, {.num_channels = 32}), "waves/cos_first");
  expect_same(timestep_embedding(t, {.num_channels = 15, .flip_sin_to_cos = false, .downscale_freq_shift = 1}),
              "waves/sin_first");
  const TimestepEmbeddingOptions options{.in_channels = 10, .time_embed_dim = 24, .post_act_fn = "gelu"};
  expect_same(filled(TimestepEmbedding(options), "time_embedding")(temb_), "time_embedding/output");
}

TEST_F(LayerParity, ResnetBlock) {
  const ResnetOptions plain{.temb_channels = 10, .groups = 4};
  expect_same(filled(ResnetBlock2D(12, 20, plain), "resnet")(image_, temb_), "resnet/output");
  expect_same(filled(ResnetBlock2D(12, 12, plain, Resample::kUp), "resnet_up")(image_, temb_), "resnet_up/output");
  expect_same(filled(ResnetBlock2D(12, 12, plain, Resample::kDown), "resnet_down")(image_, temb_),
              "resnet_down/output");
  auto scale_shift = plain;
  scale_shift.time_embedding_norm = "scale_shift";
  scale_shift.non_linearity = "mish";
  scale_shift.output_scale_factor = 1.4;
  expect_same(filled(ResnetBlock2D(12, 12, scale_shift), "resnet_scale_shift")(image_, temb_),
              "resnet_scale_shift/output");
}

TEST_F(LayerParity, Resampling) {
  expect_same(filled(Downsample2D(12), "downsample")(image_), "downsample/output");
  expect_same(filled(Downsample2D(12, 0), "downsample_unpadded")(image_), "downsample_unpadded/output");
  expect_same(filled(Upsample2D(12), "upsample")(image_), "upsample/output");
}

TEST_F(LayerParity, AttentionBetweenPixels) {
  auto layer = filled(Attention(AttentionOptions{.query_dim = 12,
                                                 .heads = 3,
                                                 .dim_head = 4,
                                                 .bias = true,
                                                 .norm_num_groups = 4,
                                                 .residual_connection = true,
                                                 .rescale_output_factor = 1.2}),
                      "attention_image");
  expect_same(layer->forward_image({.x = image_}), "attention_image/output");
  expect_same(layer->forward_image({.x = image_.contiguous(at::MemoryFormat::ChannelsLast)}), "attention_image/output");
  expect_same(tokens_to_image(layer->forward({.x = image_to_tokens(image_)}), image_), "attention_image/output");
}

TEST_F(LayerParity, AttentionToText) {
  const AttentionOptions options{.query_dim = 12, .cross_attention_dim = 10, .heads = 2, .dim_head = 8};
  auto layer = filled(Attention(options), "attention_text");
  expect_same(layer->forward({.x = tokens_, .states = states_}), "attention_text/output");
  expect_same(layer->forward({.x = tokens_, .keys_and_values = layer->keys_and_values(states_)}),
              "attention_text/output");
}

TEST_F(LayerParity, Transformer) {
  TransformerOptions options{.num_attention_heads = 3,
                             .attention_head_dim = 4,
                             .num_layers = 2,
                             .cross_attention_dim = 10,
                             .norm_num_groups = 4};
  const CrossAttention cross{.encoder_hidden_states = states_, .bias = {}};
  expect_same(filled(Transformer2DModel(12, options), "transformer")(image_, cross), "transformer/output");
  options.num_layers = 1;
  options.use_linear_projection = true;
  expect_same(filled(Transformer2DModel(12, options), "transformer_linear")(image_, cross),
              "transformer_linear/output");
}

}  // namespace
}  // namespace sfumato
