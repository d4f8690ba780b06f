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

/// Packs in a folder, which are read as one.
class SeveralPacks : public testing::Test {
 protected:
  std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("packs-") + testing::UnitTest::GetInstance()->current_test_info()->name());

  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, const Tensors& tensors, const std::string& things = "{}") const {
    const auto path = folder_ / (name + ".safetensors");
    write_safetensors(path, tensors, {{"format", "sfumato-pack"}, {"version", "1"}, {"things", things}});
    return path;
  }

  std::string refusal(const std::vector<std::filesystem::path>& places) const {
    try {
      Pack(places, 16);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  }
};

/// Three 16x16 images of the values 10, 20 and 30; the last is held out.
Tensors images_pack() {
  Tensors pack;
  pack["images"] = torch::tensor({10, 20, 30}, torch::kUInt8).view({3, 1, 1, 1}).expand({3, 3, 16, 16}).contiguous();
  pack["captions.ids"] = torch::tensor({2, 1, 0, 3, 1, 0, 4, 1, 0}, torch::kInt32).view({3, 3});
  pack["captions.bytes"] = bytes_of("abc");
  pack["captions.offsets"] = torch::tensor({0, 1, 2, 3}, torch::kInt64);
  pack["empty.ids"] = torch::tensor({1, 0, 0}, torch::kInt32);
  pack["probes.ids"] = torch::tensor({7, 1, 0, 2, 1, 0}, torch::kInt32).view({2, 3});
  pack["probes.bytes"] = bytes_of("probea");
  pack["probes.offsets"] = torch::tensor({0, 5, 6}, torch::kInt64);
  pack["split.held_out"] = torch::tensor({1}, torch::kInt64);
  return pack;
}

TEST_F(SeveralPacks, AreOnePackWithTheHeldOutScenesOfAllAtTheEnd) {
  write("b", small_pack());
  write("a", images_pack());
  Pack pack(folder_, 16);  // in order of the names
  EXPECT_EQ(pack.size(), 5);
  EXPECT_EQ(pack.held_out(), 2);
  std::string captions;
  for (std::int64_t i = 0; i < 5; ++i) captions += pack.caption(i) + " ";
  EXPECT_EQ(captions, "a b left c right ");
  EXPECT_TRUE(torch::equal(pack.ids(torch::arange(5)).select(1, 0), torch::tensor({2, 3, 5, 4, 6})));
  EXPECT_EQ(pack.probes(), (std::vector<std::string>{"probe", "a"}));
  EXPECT_EQ(pack.probe_ids().size(0), 2);
}

TEST_F(SeveralPacks, GiveTheImagesOfEachInTheOrderOfTheIndices) {
  const auto images = write("a", images_pack()), scenes = write("b", small_pack());
  Pack both({images, scenes}, 16), one(images, 16), other(scenes, 16);
  const auto mixed = both.images(torch::tensor({4, 0, 3, 2, 1, 0}));
  const auto expected = torch::stack({other.images(torch::tensor({1}))[0], one.images(torch::tensor({0}))[0],
                                      one.images(torch::tensor({2}))[0], other.images(torch::tensor({0}))[0],
                                      one.images(torch::tensor({1}))[0], one.images(torch::tensor({0}))[0]});
  EXPECT_TRUE(torch::equal(mixed, expected));
}

TEST_F(SeveralPacks, UniteTheirThings) {
  auto first = small_pack(), second = small_pack();
  first["cutouts.things"] = torch::tensor({1}, torch::kInt32);   // sofa
  second["cutouts.things"] = torch::tensor({0}, torch::kInt32);  // ball
  const auto a = write("a", first, R"({"cat":["cats"],"sofa":[]})"),
             b = write("b", second, R"({"ball":[],"cat":["cats","kitty"]})");
  const Pack pack(std::vector{a, b}, 16);
  EXPECT_EQ(pack.thing_names(), (std::vector<std::string>{"ball", "cat", "sofa"}));
  EXPECT_EQ(pack.things().at("cat"), (std::vector<std::string>{"cats", "kitty"}));
  EXPECT_TRUE(
      torch::equal(pack.thing_labels(torch::tensor({0, 1})), torch::tensor({{0.F, 0.F, 1.F}, {1.F, 0.F, 0.F}})));
}

TEST_F(SeveralPacks, NamesAllFilesAsTheirOrigin) {
  const auto a = write("a", images_pack()), b = write("b", small_pack());
  EXPECT_EQ(Pack(a, 16).origin(), a.string());
  EXPECT_EQ(Pack(folder_, 16).origin(), a.string() + " (2 + 1), " + b.string() + " (1 + 1)");
}

TEST_F(SeveralPacks, RefusesTwoThatDoNotFitAndNamesBoth) {
  auto longer = images_pack(), other = images_pack(), probes = images_pack(), small = images_pack();
  longer["captions.ids"] = torch::zeros({3, 4}, torch::kInt32);
  longer["empty.ids"] = torch::zeros({4}, torch::kInt32);
  longer["probes.ids"] = torch::zeros({2, 4}, torch::kInt32);
  other["empty.ids"] = torch::tensor({2, 0, 0}, torch::kInt32);
  probes["probes.ids"] = torch::tensor({8, 1, 0, 2, 1, 0}, torch::kInt32).view({2, 3});
  small["images"] = torch::zeros({3, 3, 8, 8}, torch::kUInt8);
  const auto first = write("first", images_pack());
  const std::pair<Tensors, std::string> cases[] = {
      {longer, "their captions have 3 and 4 token ids, expected one tokenizer"},
      {other, "they have different token ids for the same text, expected one tokenizer"},
      {probes, "they have different token ids for the same text, expected one tokenizer"},
      {small, "their images are 16x16 and 8x8 pixels, expected one size"}};
  for (const auto& [tensors, why] : cases) {
    const auto second = write("second", tensors);
    EXPECT_EQ(refusal({first, second}),
              "the packs '" + first.string() + "' and '" + second.string() + "' do not fit together: " + why);
  }
  EXPECT_NE(refusal({first, first}).find("they are the same file, expected it once"), std::string::npos);
}

TEST_F(SeveralPacks, RefusesAFolderWithoutAny) {
  EXPECT_EQ(refusal({folder_}),
            "'" + folder_.string() + "' holds no packs: expected files *.safetensors of compose --pack");
}

}  // namespace
}  // namespace sfumato
