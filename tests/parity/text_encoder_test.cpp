#include <gtest/gtest.h>
#include <torch/torch.h>

#include <string>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "models/clip_text_model.h"
#include "models/t5_encoder_model.h"
#include "parity/compare.h"

namespace sfumato {
namespace {

/// One layer has a tighter bound than a network of several: float32 sums in another order.
double tolerance(const std::string& name) {
  return name.ends_with("_layer") ? kLayerTolerance : kNetworkTolerance;
}

class T5Parity : public testing::TestWithParam<const char*> {};

TEST_P(T5Parity, GivesTransformersStates) {
  const torch::NoGradGuard no_grad;
  const std::string name = GetParam();
  auto model = from_pretrained<T5EncoderModelImpl>(parity_folder() / name, {});
  const SafetensorsFile file(parity_folder() / (name + ".safetensors"));
  const auto ids = file.tensor("ids");
  EXPECT_LT(relative_error(model->forward(ids), file.tensor("last_hidden_state")), tolerance(name));
  EXPECT_LT(relative_error(model->forward(ids, file.tensor("attention_mask")), file.tensor("masked")), tolerance(name));
}

TEST_P(T5Parity, AnotherOrderOfTokensIsSeen) {
  const torch::NoGradGuard no_grad;
  const std::string name = GetParam();
  auto model = from_pretrained<T5EncoderModelImpl>(parity_folder() / name, {});
  const SafetensorsFile file(parity_folder() / (name + ".safetensors"));
  const auto swapped = model->forward(file.tensor("ids").flip(1)).flip(1);
  if (swapped.size(1) == 1) GTEST_SKIP() << "one token has one order";
  EXPECT_GT(relative_error(swapped, file.tensor("last_hidden_state")), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Configurations, T5Parity,
                         testing::Values("t5_layer", "t5_relu", "t5_gated", "t5_odd", "t5_one_token"),
                         [](const auto& info) { return std::string(info.param); });

TEST(T5, RelativePositionBucketsAreTransformers) {
  const SafetensorsFile file(parity_folder() / "buckets.safetensors");
  for (const auto& name : file.names()) {
    const auto first = name.find('_'), second = name.rfind('_');
    const auto buckets = relative_position_buckets(std::stoll(name.substr(0, first)),
                                                   std::stoll(name.substr(first + 1, second - first - 1)),
                                                   std::stoll(name.substr(second + 1)));
    EXPECT_TRUE(torch::equal(buckets, file.tensor(name))) << name;
  }
}

TEST(T5, GradientsAreTransformers) {
  auto model = from_pretrained<T5EncoderModelImpl>(parity_folder() / "t5_gated", {});
  for (auto& parameter : model->parameters()) parameter.set_requires_grad(true);
  const SafetensorsFile file(parity_folder() / "t5_gradients.safetensors");
  (model->forward(file.tensor("ids")) * file.tensor("target")).sum().backward();
  for (const auto& parameter : model->named_parameters()) {
    EXPECT_LT(relative_error(parameter.value().grad(), file.tensor(parameter.key())), kNetworkTolerance)
        << parameter.key();
  }
}

TEST(T5, ConfigSurvivesARoundTrip) {
  const auto config = T5EncoderModelConfig::from_json(read_json(parity_folder() / "t5_odd" / "config.json"));
  EXPECT_EQ(T5EncoderModelConfig::from_json(config.to_json()).to_json(), config.to_json());
}

class ClipParity : public testing::TestWithParam<const char*> {};

template <class Impl>
void expect_parity(const std::string& name) {
  const torch::NoGradGuard no_grad;
  auto model = from_pretrained<Impl>(parity_folder() / name, {});
  const SafetensorsFile file(parity_folder() / (name + ".safetensors"));
  const auto output = model->forward(file.tensor("ids"));
  EXPECT_LT(relative_error(output.last_hidden_state, file.tensor("last_hidden_state")), tolerance(name));
  EXPECT_LT(relative_error(output.pooler_output, file.tensor("pooler_output")), tolerance(name));
  ASSERT_TRUE(file.contains("hidden_states." + std::to_string(output.hidden_states.size() - 1)));
  EXPECT_FALSE(file.contains("hidden_states." + std::to_string(output.hidden_states.size())));
  for (std::size_t i = 0; i < output.hidden_states.size(); ++i) {
    const auto expected = file.tensor("hidden_states." + std::to_string(i));
    EXPECT_LT(relative_error(output.hidden_states[i], expected), tolerance(name)) << "layer " << i;
  }
}

TEST_P(ClipParity, GivesTransformersStatesAndPooledState) {
  const std::string name = GetParam();
  if (name.find("projection") == std::string::npos) {
    expect_parity<CLIPTextModelImpl>(name);
  } else {
    expect_parity<CLIPTextModelWithProjectionImpl>(name);
  }
}

INSTANTIATE_TEST_SUITE_P(Configurations, ClipParity,
                         testing::Values("clip_layer", "clip_quick", "clip_gelu_legacy_eos", "clip_odd",
                                         "clip_projection", "clip_projection_odd"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Clip, KeysOfOlderCheckpointsAreUnderstood) {
  EXPECT_EQ(CLIPTextModelImpl::rename_key("text_model.final_layer_norm.bias"), "final_layer_norm.bias");
  EXPECT_EQ(CLIPTextModelImpl::rename_key("text_model.embeddings.position_ids"), "");
  EXPECT_EQ(CLIPTextModelImpl::rename_key("encoder.layers.0.mlp.fc1.bias"), "encoder.layers.0.mlp.fc1.bias");
  EXPECT_EQ(CLIPTextModelWithProjectionImpl::rename_key("text_model.embeddings.position_ids"), "");
  EXPECT_EQ(CLIPTextModelWithProjectionImpl::rename_key("text_projection.weight"), "text_projection.weight");
}

}  // namespace
}  // namespace sfumato
