#include "data/pack.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <map>

#include "checkpoints/safetensors.h"

namespace sfumato {
namespace {

using Tensors = std::map<std::string, torch::Tensor>;

torch::Tensor bytes_of(const std::string& text) {
  auto bytes = torch::empty({static_cast<std::int64_t>(text.size())}, torch::kUInt8);
  std::memcpy(bytes.data_ptr(), text.data(), text.size());
  return bytes;
}

/// Two scenes over one grey cut-out: left and right.
Tensors small_pack() {
  Tensors pack;
  pack["cutouts"] = torch::full({1, 4, 8, 8}, 128, torch::kUInt8);
  pack["cutouts"].select(1, 3).fill_(255);
  pack["scenes.items"] = torch::tensor({0.F, .25F, .5F, .5F, 0.F, 0.F, 0.F, .75F, .5F, .5F, 0.F, 0.F}).view({2, 1, 6});
  pack["scenes.background"] = torch::tensor({0.F, 0.F, 0.F, 0.F, 0.F, 0.F, 0.F, 1.F}).repeat({2, 1});
  pack["captions.ids"] = torch::tensor({5, 1, 0, 6, 1, 0}, torch::kInt32).view({2, 3});
  pack["captions.bytes"] = bytes_of("leftright");
  pack["captions.offsets"] = torch::tensor({0, 4, 9}, torch::kInt64);
  pack["empty.ids"] = torch::tensor({1, 0, 0}, torch::kInt32);
  pack["probes.ids"] = torch::tensor({7, 1, 0}, torch::kInt32).view({1, 3});
  pack["probes.bytes"] = bytes_of("probe");
  pack["probes.offsets"] = torch::tensor({0, 5}, torch::kInt64);
  pack["split.held_out"] = torch::tensor({1}, torch::kInt64);
  return pack;
}

class PackFile : public testing::Test {
 protected:
  std::filesystem::path path_ = std::filesystem::path(testing::TempDir()) /
                                (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) + ".pack");

  Pack written(const Tensors& tensors) {
    write_safetensors(path_, tensors,
                      {{"format", "sfumato-pack"}, {"version", "1"}, {"things", R"({"cat":["cats"],"sofa":[]})"}});
    return Pack(path_, 16);
  }

  std::string refusal(const Tensors& tensors) {
    try {
      written(tensors);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  }

  void TearDown() override { std::filesystem::remove(path_); }
};

TEST_F(PackFile, GivesBackWhatWasWritten) {
  auto pack = written(small_pack());
  EXPECT_EQ(pack.size(), 2);
  EXPECT_EQ(pack.held_out(), 1);
  EXPECT_EQ(pack.image_size(), (std::vector<std::int64_t>{16, 16}));
  EXPECT_EQ(pack.caption(0), "left");
  EXPECT_EQ(pack.caption(1), "right");
  EXPECT_TRUE(torch::equal(pack.ids(torch::tensor({1, 0})), torch::tensor({6, 1, 0, 5, 1, 0}).view({2, 3})));
  EXPECT_TRUE(torch::equal(pack.empty_ids(), torch::tensor({1, 0, 0})));
  EXPECT_TRUE(torch::equal(pack.probe_ids(), torch::tensor({7, 1, 0}).view({1, 3})));
  EXPECT_EQ(pack.probes(), std::vector<std::string>{"probe"});
  EXPECT_EQ(pack.things(), (std::map<std::string, std::vector<std::string>>{{"cat", {"cats"}}, {"sofa", {}}}));
}

TEST_F(PackFile, ComposesScenesBetweenMinusOneAndOne) {
  auto pack = written(small_pack());
  const auto images = pack.images(torch::tensor({1, 0}));
  ASSERT_EQ(images.sizes(), (std::vector<std::int64_t>{2, 3, 16, 16}));
  const float grey = 128 / 127.5F - 1;
  EXPECT_EQ(images[0][0][8][3].item<float>(), -1);  // "right": black on the left, its square on the right
  EXPECT_NEAR(images[0][0][8][12].item<float>(), grey, 1e-6);
  EXPECT_NEAR(images[1][0][8][3].item<float>(), grey, 1e-6);
  EXPECT_EQ(images[1][0][8][12].item<float>(), -1);
}

TEST_F(PackFile, ReturnsImagesAsTheyWerePacked) {
  auto tensors = small_pack();
  for (const char* name : {"cutouts", "scenes.items", "scenes.background"}) tensors.erase(name);
  tensors["images"] = torch::arange(2 * 3 * 4 * 5).to(torch::kUInt8).view({2, 3, 4, 5});
  auto pack = written(tensors);
  EXPECT_EQ(pack.image_size(), (std::vector<std::int64_t>{4, 5}));
  const auto expected = tensors["images"].to(torch::kFloat32) / 127.5 - 1;
  EXPECT_TRUE(torch::allclose(pack.images(torch::tensor({0, 1})), expected, 0, 1e-6));
}

TEST_F(PackFile, RefusesImagesThatAreNotThere) {
  auto tensors = small_pack();
  for (const char* name : {"cutouts", "scenes.items", "scenes.background"}) tensors.erase(name);
  tensors["images"] = torch::zeros({1, 3, 4, 5}, torch::kUInt8);
  tensors["images.index"] = torch::tensor({0, 0}, torch::kInt64);
  EXPECT_EQ(refusal(tensors), "accepted");
  tensors["images.index"] = torch::tensor({0, 1}, torch::kInt64);
  EXPECT_NE(refusal(tensors).find("'images.index' names a picture that is not there, the file has 1"),
            std::string::npos);
}

TEST_F(PackFile, RefusesWhatIsNoPack) {
  write_safetensors(path_, small_pack());
  EXPECT_THROW(Pack{path_}, std::runtime_error);
}

TEST_F(PackFile, NamesAMissingTensor) {
  auto tensors = small_pack();
  tensors.erase("empty.ids");
  EXPECT_NE(refusal(tensors).find("'empty.ids'"), std::string::npos);
}

TEST_F(PackFile, NamesAMisshapenTensor) {
  auto tensors = small_pack();
  tensors["scenes.background"] = torch::zeros({2, 7});
  EXPECT_NE(refusal(tensors).find("'scenes.background' is Float [2, 7], expected Float [2, 8]"), std::string::npos);
}

TEST_F(PackFile, RefusesACutoutThatIsNotThere) {
  auto tensors = small_pack();
  tensors["scenes.items"][1][0][0] = 1;
  EXPECT_NE(refusal(tensors).find("cut-out"), std::string::npos);
}

TEST_F(PackFile, RefusesHoldingOutEverything) {
  auto tensors = small_pack();
  tensors["split.held_out"] = torch::tensor({2}, torch::kInt64);
  EXPECT_NE(refusal(tensors).find("'split.held_out' is 2 of 2"), std::string::npos);
}

TEST_F(PackFile, RefusesOffsetsBeyondTheText) {
  auto tensors = small_pack();
  tensors["captions.offsets"] = torch::tensor({0, 4, 10}, torch::kInt64);
  EXPECT_NE(refusal(tensors).find("'captions.offsets'"), std::string::npos);
}

}  // namespace
}  // namespace sfumato
