#include <gtest/gtest.h>

#include <cmath>

#include "core/random.h"
#include "models/clip_text_model.h"
#include "models/t5_encoder_model.h"

namespace sfumato {
namespace {

double std_dev(const torch::Tensor& weight) {
  return weight.square().mean().sqrt().item<double>();
}

TEST(T5, InitialisationHasTransformersDeviations) {
  const T5EncoderModelConfig config{.vocab_size = 300,
                                    .d_model = 128,
                                    .d_kv = 32,
                                    .d_ff = 256,
                                    .num_layers = 2,
                                    .num_heads = 8,
                                    .feed_forward_proj = "gated-gelu"};
  T5EncoderModel model(config);
  initialize(*model, seeded_generator(3));
  const auto weights = model->named_parameters();
  const std::string attention = "encoder.block.1.layer.0.SelfAttention.", dense = "encoder.block.1.layer.1.";
  // Each is a sample of at least 30,000 numbers: its std is within 2 % in all but one of 10^6 runs.
  EXPECT_NEAR(std_dev(weights["shared.weight"]), 1.0, 0.02);
  EXPECT_NEAR(std_dev(weights[attention + "q.weight"]) * std::sqrt(128.0 * 32.0), 1.0, 0.02);
  EXPECT_NEAR(std_dev(weights[attention + "k.weight"]) * std::sqrt(128.0), 1.0, 0.02);
  EXPECT_NEAR(std_dev(weights[attention + "o.weight"]) * std::sqrt(256.0), 1.0, 0.02);
  EXPECT_NEAR(std_dev(weights[dense + "DenseReluDense.wi_1.weight"]) * std::sqrt(128.0), 1.0, 0.02);
  EXPECT_NEAR(std_dev(weights[dense + "DenseReluDense.wo.weight"]) * std::sqrt(256.0), 1.0, 0.02);
  EXPECT_TRUE((weights[dense + "layer_norm.weight"] == 1).all().item<bool>());
  EXPECT_TRUE((weights["encoder.final_layer_norm.weight"] == 1).all().item<bool>());
}

TEST(T5, TheSameSeedInitialisesAlike) {
  const T5EncoderModelConfig config{
      .vocab_size = 20, .d_model = 16, .d_kv = 4, .d_ff = 8, .num_layers = 1, .num_heads = 2};
  T5EncoderModel a(config), b(config);
  initialize(*a, seeded_generator(7));
  initialize(*b, seeded_generator(7));
  for (const auto& weight : a->named_parameters()) {
    EXPECT_TRUE(torch::equal(weight.value(), b->named_parameters()[weight.key()])) << weight.key();
  }
}

TEST(T5, AMaskedTokenChangesNothing) {
  const torch::NoGradGuard no_grad;
  T5EncoderModel model(
      T5EncoderModelConfig{.vocab_size = 20, .d_model = 16, .d_kv = 4, .d_ff = 8, .num_layers = 2, .num_heads = 2});
  initialize(*model, seeded_generator(7));
  const auto mask = torch::tensor({{1, 1, 1, 0}});
  const auto a = model(torch::tensor({{3, 4, 5, 6}}), mask), b = model(torch::tensor({{3, 4, 5, 9}}), mask);
  EXPECT_TRUE(torch::equal(a.narrow(1, 0, 3), b.narrow(1, 0, 3)));
}

TEST(T5, HalfPrecisionStaysFiniteWhereTheFeedForwardOverflows) {
  const torch::NoGradGuard no_grad;
  T5EncoderModel model(
      T5EncoderModelConfig{.vocab_size = 20, .d_model = 16, .d_kv = 4, .d_ff = 64, .num_layers = 2, .num_heads = 2});
  initialize(*model, seeded_generator(7));
  model->named_parameters()["encoder.block.0.layer.1.DenseReluDense.wo.weight"].mul_(30000);
  model->to(torch::kFloat16);
  const auto states = model(torch::tensor({{3, 4, 5, 6}}));
  EXPECT_EQ(states.scalar_type(), torch::kFloat16);
  EXPECT_TRUE(states.isfinite().all().item<bool>());
}

TEST(T5, UnsupportedConfigIsRefusedByName) {
  try {
    T5EncoderModelConfig::from_json({{"feed_forward_proj", "gated-silu"}});
    FAIL() << "accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("feed_forward_proj"), std::string::npos) << error.what();
  }
  EXPECT_THROW(T5EncoderModelConfig::from_json({{"num_heads", 0}}), std::invalid_argument);
  EXPECT_THROW(T5EncoderModelConfig::from_json({{"relative_attention_num_buckets", 7}}), std::invalid_argument);
}

TEST(T5, KeysOfAWholeT5AreIgnored) {
  EXPECT_EQ(T5EncoderModelImpl::rename_key("encoder.embed_tokens.weight"), "");
  EXPECT_EQ(T5EncoderModelImpl::rename_key("decoder.block.0.layer.0.layer_norm.weight"), "");
  EXPECT_EQ(T5EncoderModelImpl::rename_key("lm_head.weight"), "");
  EXPECT_EQ(T5EncoderModelImpl::rename_key("shared.weight"), "shared.weight");
}

TEST(Clip, UnsupportedConfigIsRefusedByName) {
  EXPECT_THROW(CLIPTextModelConfig::from_json({{"hidden_act", "silu"}}), std::invalid_argument);
  EXPECT_THROW(CLIPTextModelConfig::from_json({{"num_attention_heads", 7}}), std::invalid_argument);
}

TEST(Clip, MoreTokensThanPositionsAreRefused) {
  CLIPTextModel model(CLIPTextModelConfig{.vocab_size = 9,
                                          .hidden_size = 4,
                                          .intermediate_size = 4,
                                          .num_hidden_layers = 1,
                                          .num_attention_heads = 1,
                                          .max_position_embeddings = 3});
  EXPECT_THROW(model(torch::zeros({1, 4}, torch::kInt64)), c10::Error);
}

TEST(Clip, AddedEmbeddingsActAsTheRowsTheyAreAndAreNoEndOfText) {
  const torch::NoGradGuard no_grad;
  for (const std::int64_t eos : {2, 19}) {  // 2 means "the highest id"
    CLIPTextModel model(CLIPTextModelConfig{.vocab_size = 20,
                                            .hidden_size = 16,
                                            .intermediate_size = 24,
                                            .projection_dim = 16,
                                            .num_hidden_layers = 2,
                                            .num_attention_heads = 2,
                                            .max_position_embeddings = 8,
                                            .eos_token_id = eos});
    std::uint64_t seed = 1;
    for (auto& parameter : model->parameters()) parameter.normal_(0, 1, seeded_generator(seed++));
    const auto table = model->named_parameters()["embeddings.token_embedding.weight"];
    const auto plain = model(torch::tensor({{3, 7, 8, 19}}));
    EXPECT_EQ(model->add_token_embeddings(table.narrow(0, 7, 2).clone()), 20);
    const auto added = model(torch::tensor({{3, 20, 21, 19}}));
    EXPECT_TRUE(torch::equal(added.last_hidden_state, plain.last_hidden_state));
    EXPECT_TRUE(torch::equal(added.pooler_output, plain.pooler_output));
    EXPECT_THROW(model->add_token_embeddings(torch::ones({1, 15})), std::invalid_argument);
  }
}

}  // namespace
}  // namespace sfumato
