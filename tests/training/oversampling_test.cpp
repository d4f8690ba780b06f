#include "training/kinds/text_to_image/oversampling.h"

#include <gtest/gtest.h>

#include <cstring>

#include "checkpoints/safetensors.h"

namespace sfumato {
namespace {

/// A pack of grey images with these captions, of which the last is held out.
Pack pack_of(const std::vector<std::string>& captions) {
  const auto count = static_cast<std::int64_t>(captions.size());
  std::string text;
  std::vector<std::int64_t> offsets = {0};
  for (const auto& caption : captions) {
    text += caption;
    offsets.push_back(static_cast<std::int64_t>(text.size()));
  }
  auto bytes = torch::empty({static_cast<std::int64_t>(text.size())}, torch::kUInt8);
  std::memcpy(bytes.data_ptr(), text.data(), text.size());
  const auto path = std::filesystem::path(testing::TempDir()) / "emphasis.pack";
  write_safetensors(path,
                    {{"images", torch::full({count, 3, 8, 8}, 128, torch::kUInt8)},
                     {"captions.ids", torch::ones({count, 2}, torch::kInt32)},
                     {"captions.bytes", bytes},
                     {"captions.offsets", torch::tensor(offsets, torch::kInt64)},
                     {"empty.ids", torch::ones({2}, torch::kInt32)},
                     {"probes.ids", torch::ones({1, 2}, torch::kInt32)},
                     {"probes.bytes", torch::zeros({1}, torch::kUInt8)},
                     {"probes.offsets", torch::tensor({0, 1}, torch::kInt64)},
                     {"split.held_out", torch::tensor({1}, torch::kInt64)}},
                    {{"format", "sfumato-pack"}, {"version", "1"}});
  return Pack(path);
}

std::vector<std::int64_t> examples(const OversamplingRecipe& oversampling) {
  const auto pack = pack_of({"a Cat, asleep", "cattle", "a dog", "the black-cat", "a cat"});
  const auto tensor = oversampled_examples(pack, oversampling);
  return {tensor.data_ptr<std::int64_t>(), tensor.data_ptr<std::int64_t>() + tensor.numel()};
}

TEST(Oversampling, RepeatsImagesWithOneOfTheWordsAndNoHeldOutOne) {
  EXPECT_EQ(examples({.words = {"cat", "horse"}, .repeats = 3}), (std::vector<std::int64_t>{0, 0, 0, 1, 2, 3, 3, 3}));
}

TEST(Oversampling, WithoutRepeatsEveryImageIsSeenOnce) {
  EXPECT_EQ(examples({}), (std::vector<std::int64_t>{0, 1, 2, 3}));
}

TEST(Oversampling, HasNoEffectIfNoCaptionOfATrainingImageHasAWord) {
  const auto pack = pack_of({"a cat", "a dog", "a horse"});  // the last one is held out
  EXPECT_TRUE(has_no_effect({.words = {"horse", "cow"}, .repeats = 2}, pack));
  EXPECT_FALSE(has_no_effect({.words = {"cow", "dog"}, .repeats = 2}, pack));
  EXPECT_FALSE(has_no_effect({.words = {"cow"}, .repeats = 1}, pack));
  EXPECT_FALSE(has_no_effect({}, pack));
}

}  // namespace
}  // namespace sfumato
