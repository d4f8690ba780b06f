#include "engine/session.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "core/json.h"
#include "nn/packing.h"

namespace sfumato {
namespace {

PlannedBatch batch_of(const std::string& prompt) {
  PlannedBatch batch;
  batch.request.prompt = prompt;
  batch.request.steps = 1;
  batch.request.seed = 3;
  return batch;
}

Session session_of(const std::vector<PlannedBatch>& batches, const ModelChoice& choice = {.device = "cpu"}) {
  return {choice, batches, SFUMATO_SOURCE_DIR};
}

TEST(Session, TheRecordHasResolvedValuesAndRepeatsTheImage) {
  const auto batch = batch_of("a cat");
  auto session = session_of({batch});
  const auto first = session.generate(text_to_image, batch, {});
  const auto record = session.record(first.request);
  EXPECT_EQ(record.model.name, "sfumato-emoji-128");
  EXPECT_EQ(record.model.device, "cpu");
  EXPECT_EQ(record.model.dtype, "float32");
  EXPECT_FALSE(record.request.sampler.empty());
  auto again = session_of({{record.request}}, record.model);
  EXPECT_TRUE(torch::equal(again.generate(text_to_image, {record.request}, {}).images, first.images));
}

TEST(Session, ALaterRequestIsValidatedBeforeTheFirst) {
  auto wrong = batch_of("a cat");
  wrong.request.width = 100;
  EXPECT_THROW(session_of({batch_of("a cat"), wrong}), std::invalid_argument);
}

TEST(Session, AMissingAdapterIsReportedBeforeTheFirstImage) {
  auto wrong = batch_of("a cat");
  wrong.adapters.loras = {{"/nonexistent.safetensors"}};
  EXPECT_THROW(session_of({batch_of("a cat"), wrong}), std::runtime_error);
}

/// Returns the message with which a session refuses the request, for a model that does not exist.
std::string refusal_without_model(const Request& request) {
  try {
    session_of({{request}}, {.name = "no-model", .device = "cpu"});
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Session, GuidanceByClipIsCheckedBeforeTheModelLoads) {
  const auto folder = std::filesystem::temp_directory_path() / ("session-clip-test-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  write_json(folder / "config.json", {{"vision_config", {{"time_embedding", true}}}});
  auto request = batch_of("a cat").request;
  request.clip_guidance = {.model = folder.string(), .scale = 1};
  request.hires.scale = 2;
  EXPECT_NE(refusal_without_model(request).find("is noised and takes latents of one size"), std::string::npos);
  request.clip_guidance.scale = -1;
  EXPECT_EQ(refusal_without_model(request), "clip guidance -1: expected 0, or a number above it up to 1000000");
  std::filesystem::remove_all(folder);
}

TEST(Session, SettingsWithoutEffectAreWarnedOfOnce) {
  auto session = session_of({batch_of("a cat")}, {.device = "cpu", .tf32 = true, .offload = true});
  const std::vector<std::string> expected = {"--tf32 has no effect on cpu", "--offload has no effect on cpu"};
  EXPECT_EQ(session.take_warnings(), expected);
  EXPECT_TRUE(session.take_warnings().empty());
}

/// True if a session for these requests has packed the UNet's weights, which then read as NaN.
bool packs(const std::vector<PlannedBatch>& batches, const std::string& dtype) {
  const auto session = session_of(batches, {.device = "cpu", .dtype = dtype});
  for (const auto& weight : session.model().unet->parameters())
    if (weight.isnan().any().item<bool>()) return true;
  return false;
}

TEST(Session, WeightsArePackedWhereThatSavesTime) {
  auto batch = batch_of("a cat");
  // The same image made alone must be the same: the number of images does not count.
  EXPECT_FALSE(packs(std::vector<PlannedBatch>(12, batch), "bfloat16"));
  batch.request.steps = 12;
  EXPECT_EQ(packs({batch}, "bfloat16"), packs_weights({.dtype = torch::kBFloat16}));
  EXPECT_FALSE(packs({batch}, "float32"));
}

TEST(Session, PackedWeightsGiveTheSameImageButForRounding) {
  if (!packs_weights({.dtype = torch::kBFloat16})) GTEST_SKIP() << "no bfloat16 instructions";
  auto batch = batch_of("a cat"), of_many_steps = batch;
  of_many_steps.request.steps = 12;
  const ModelChoice choice{.device = "cpu", .dtype = "bfloat16"};
  auto plain = session_of({batch}, choice), packed = session_of({of_many_steps}, choice);
  const auto expected = plain.generate(text_to_image, batch, {}).latents;
  const auto error = (packed.generate(text_to_image, batch, {}).latents - expected).norm() / expected.norm();
  // Sums in another order round differently in some 60 layers, each by up to 2^-9: sqrt(60) 2^-9, of which the
  // sampler's one step keeps a part.
  EXPECT_LE(error.item<double>(), 0.015);
}

TEST(Session, EstimatesReachTheWatcher) {
  const auto batch = batch_of("a cat");
  auto session = session_of({batch});
  int evaluations = 0;
  session.watch_estimates([&](const torch::Tensor& x, const torch::Tensor& x0) {
    EXPECT_EQ(x.sizes(), x0.sizes());
    ++evaluations;
  });
  session.generate(text_to_image, batch, {});
  EXPECT_GE(evaluations, 1);
}

TEST(Session, AWrongTilingIsNamed) {
  EXPECT_THROW(session_of({batch_of("a cat")}, {.device = "cpu", .vae_tiling = "often"}), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
