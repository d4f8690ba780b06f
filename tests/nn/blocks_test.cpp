#include <gtest/gtest.h>

#include "core/random.h"
#include "nn/init.h"
#include "nn/unet_blocks.h"

namespace sfumato {
namespace {

TEST(Upsample2D, ReachesASizeThatIsNotTwice) {
  const auto x = torch::arange(4, torch::kFloat32).reshape({1, 1, 2, 2});
  const auto expected = torch::tensor({{0.F, 0.F, 1.F}, {0.F, 0.F, 1.F}, {2.F, 2.F, 3.F}}).reshape({1, 1, 3, 3});
  EXPECT_TRUE(torch::equal(upsample_nearest(x, SpatialSize{3, 3}), expected));
}

TEST(TokensToImage, UndoesImageToTokensInEitherMemoryFormat) {
  const auto x = torch::randn({2, 3, 4, 5});
  EXPECT_TRUE(torch::equal(tokens_to_image(image_to_tokens(x), x), x));
  const auto last = x.contiguous(at::MemoryFormat::ChannelsLast);
  const auto image = tokens_to_image(image_to_tokens(last), last);
  EXPECT_TRUE(torch::equal(image, x));
  EXPECT_TRUE(image.is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST(ImageToTokens, IsAViewOfAChannelsLastImage) {
  const auto x = torch::randn({2, 3, 4, 5}).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(image_to_tokens(x).data_ptr(), x.data_ptr());
}

TEST(Attention, AStateThatTheBiasHidesDoesNotCount) {
  Attention attention(AttentionOptions{.query_dim = 8, .cross_attention_dim = 6, .heads = 2, .dim_head = 4});
  initialize(*attention, seeded_generator(1));
  const auto x = torch::randn({1, 3, 8});
  const auto states = torch::randn({1, 4, 6});
  const auto bias = torch::tensor({0.F, 0.F, 0.F, -10000.F}).reshape({1, 1, 1, 4});
  EXPECT_TRUE(torch::allclose(attention->forward({.x = x, .states = states, .bias = bias}),
                              attention->forward({.x = x, .states = states.slice(1, 0, 3)}), 1e-5, 1e-6));
}

/// Checks that keys and values that are given, one row for two adjacent ones of x, change nothing.
void expect_shared_rows(AttentionImpl& attention, std::int64_t width) {
  const torch::NoGradGuard no_grad;
  initialize(attention, seeded_generator(1));
  const auto x = torch::randn({4, 3, 8}, seeded_generator(2), torch::kFloat32);
  const auto texts = torch::randn({2, 5, width}, seeded_generator(3), torch::kFloat32);
  auto mask = torch::zeros({2, 1, 1, 5});
  mask.select(0, 1).slice(2, 3).fill_(-10000);
  const auto repeated = [](const torch::Tensor& rows) { return rows.repeat_interleave(2, 0); };
  const auto output = [&](AttentionInput input) {
    if (width == 6) return attention.forward(input);
    input.x = x.transpose(1, 2).unsqueeze(3);  // [4, 8, 3, 1]
    return attention.forward_image(input);
  };
  const auto expected = output({.x = x, .states = repeated(texts), .bias = repeated(mask)});
  const auto keys_and_values = attention.keys_and_values(texts);
  const auto given = output({.x = x, .keys_and_values = keys_and_values, .bias = repeated(mask)});
  EXPECT_TRUE(torch::allclose(given, expected, 1e-5, 1e-6));  // some roundings of values up to 2
  const auto swapped = output({.x = x, .keys_and_values = keys_and_values.flip(0), .bias = repeated(mask)});
  EXPECT_FALSE(torch::allclose(swapped, expected, 1e-2, 1e-2));
  EXPECT_THROW(output({.x = x, .keys_and_values = attention.keys_and_values(torch::randn({3, 5, width}))}), c10::Error);
}

TEST(Attention, AdjacentRowsShareGivenKeysAndValues) {
  expect_shared_rows(*Attention(AttentionOptions{.query_dim = 8, .cross_attention_dim = 6, .heads = 2, .dim_head = 4}),
                     6);
}

TEST(Attention, AdjacentRowsShareGivenKeysAndValuesThatComeBeforeTheirOwn) {
  expect_shared_rows(*Attention(AttentionOptions{.query_dim = 8, .added_kv_proj_dim = 7, .heads = 2, .dim_head = 4}),
                     7);
}

TEST(Attention, AddsToItsOutput) {
  const torch::NoGradGuard no_grad;
  Attention attention(AttentionOptions{.query_dim = 8, .heads = 2, .dim_head = 4});
  initialize(*attention, seeded_generator(1));
  const auto x = torch::randn({3, 5, 8}, seeded_generator(2), torch::kFloat32);
  const auto added = torch::randn({3, 5, 8}, seeded_generator(3), torch::kFloat32);
  for (const std::int64_t identity : {0, 1}) {
    const auto alone = attention->forward({.x = x, .identity_rows = identity});
    const auto sum = attention->forward({.x = x, .added = added, .identity_rows = identity});
    EXPECT_TRUE(torch::allclose(sum, alone + added, 1e-5, 1e-6));
  }
}

TEST(Attention, TellsWhatEachPlaceReceivesOfIt) {
  Attention attention(AttentionOptions{.query_dim = 8, .heads = 2, .dim_head = 4});
  initialize(*attention, seeded_generator(1));
  const auto x = torch::randn({3, 5, 8}, seeded_generator(2), torch::kFloat32);
  EXPECT_TRUE(torch::allclose(attention->received(x).sum(1), torch::full({3}, 5.0), 1e-5, 1e-5));
  // If values are x itself and both heads agree, the sum of all outputs is that of x weighted by received attention.
  const torch::NoGradGuard no_grad;
  auto parameters = attention->named_parameters();
  parameters["to_v.weight"].copy_(torch::eye(8));
  parameters["to_out.0.weight"].copy_(torch::eye(8));
  parameters["to_out.0.bias"].zero_();
  parameters["to_q.weight"].slice(0, 4, 8).copy_(parameters["to_q.weight"].slice(0, 0, 4));
  parameters["to_k.weight"].slice(0, 4, 8).copy_(parameters["to_k.weight"].slice(0, 0, 4));
  const auto weighed = (attention->received(x).unsqueeze(2) * x).sum(1);  // [3, 8]
  EXPECT_TRUE(torch::allclose(attention->forward({.x = x}).sum(1), weighed, 1e-5, 1e-5));
}

// Scores of 45,000 to 180,000, as in Stable Diffusion 2: float16 ends at 65,504.
TEST(Attention, TellsWhatPlacesReceiveThoughTheScoresAreBeyondFloat16) {
  const torch::NoGradGuard no_grad;
  Attention attention(AttentionOptions{.query_dim = 4, .heads = 1, .dim_head = 4});
  for (auto& parameter : attention->parameters())
    if (parameter.dim() == 2) parameter.copy_(torch::eye(4));
  attention->to(torch::kFloat16);
  // Each token attends to the longest vector of its direction: the last one to the first.
  const auto x = torch::cat({600 * torch::eye(4), 300 * torch::eye(4).narrow(0, 0, 1)}).unsqueeze(0);
  const auto expected = torch::tensor({{2.F, 1.F, 1.F, 1.F, 0.F}});
  EXPECT_TRUE(torch::equal(attention->received(x.to(torch::kFloat16)), expected));
}

TEST(ResnetBlock2D, RefusesAnUnknownTimeEmbeddingNorm) {
  const ResnetOptions options{.groups = 2, .time_embedding_norm = "spatial"};
  EXPECT_THROW(ResnetBlock2D(4, 4, options), std::invalid_argument);
}

TEST(FeedForward, RefusesAnUnknownActivation) {
  EXPECT_THROW(FeedForward(4, "swiglu"), std::invalid_argument);
}

TEST(Activation, NamesWhatIsKnown) {
  try {
    activation("tanh");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("'tanh': expected silu"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace sfumato
