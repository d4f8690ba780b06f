#include "engine/plan.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace sfumato {
namespace {

namespace fs = std::filesystem;

class Plan : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  void touch(const std::string& name) const { std::ofstream(file(name)) << "x"; }

  static AdaptedRequest request(std::int64_t count, std::uint64_t seed = 7) {
    AdaptedRequest asked;
    asked.request.prompt = "a cat";
    asked.request.batch_count = count;
    asked.request.seed = seed;
    return asked;
  }

  /// Returns first seed, number of images and first file name of each batch.
  static std::string summary(const std::vector<PlannedBatch>& batches) {
    std::string text;
    for (const auto& batch : batches)
      text += std::to_string(batch.request.seed) + "x" + std::to_string(batch.request.batch_count) + " " +
              batch.outputs.front().filename().string() + "; ";
    return text;
  }

  fs::path folder_ = fs::temp_directory_path() / ("sfumato_plan_" + std::to_string(::getpid()));
};

TEST_F(Plan, EachImageIsABatchByDefault) {
  EXPECT_EQ(summary(plan_batches({request(3)}, {.pattern = file("a.png")})), "7x1 a-1.png; 8x1 a-2.png; 9x1 a-3.png; ");
}

TEST_F(Plan, BatchesAreFilledWithinARequestOnly) {
  const OutputChoice choice{.pattern = file("{seed}.png"), .batch_size = 2};
  EXPECT_EQ(summary(plan_batches({request(3), request(2, 20)}, choice)), "7x2 7.png; 9x1 9.png; 20x2 20.png; ");
}

TEST_F(Plan, ASkippedImageEndsABatch) {
  touch("8.png");
  const OutputChoice choice{.pattern = file("{seed}.png"), .batch_size = 4, .skip_existing = true};
  EXPECT_EQ(summary(plan_batches({request(4)}, choice)), "7x1 7.png; 9x2 9.png; ");
}

TEST_F(Plan, NothingIsLeftIfAllImagesExist) {
  touch("a.png");
  EXPECT_TRUE(plan_batches({request(1)}, {.pattern = file("a.png"), .skip_existing = true}).empty());
}

TEST_F(Plan, ABatchHasTheAdaptersOfItsRequest) {
  auto second = request(1);
  second.adapters.loras = {{"a.safetensors", 0.5}};
  const auto batches = plan_batches({request(1), second}, {.pattern = file("a.png")});
  EXPECT_TRUE(batches[0].adapters.empty());
  EXPECT_EQ(batches[1].adapters, second.adapters);
}

TEST_F(Plan, AnExistingFileIsRefusedWithoutOverwrite) {
  touch("a.png");
  EXPECT_THROW(plan_batches({request(1)}, {.pattern = file("a.png")}), std::invalid_argument);
  EXPECT_EQ(plan_batches({request(1)}, {.pattern = file("a.png"), .overwrite = true}).size(), 1);
  touch("b.preview.png");
  EXPECT_EQ(plan_batches({request(1)}, {.pattern = file("b.png")}).size(), 1);
  EXPECT_THROW(plan_batches({request(1)}, {.pattern = file("b.png"), .previews = true}), std::invalid_argument);
}

TEST_F(Plan, AnotherFileMustNotBeAnImages) {
  const auto refused = [&](const std::string& name) {
    try {
      plan_batches({request(2)}, {.pattern = file("a.png"), .other_files = {{"--save-latents", file(name)}}});
      return std::string();
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(refused("a-2.png"), "--save-latents '" + file("a-2.png") + "': expected another name than a picture's");
  EXPECT_EQ(refused("a-3.png"), "");
}

TEST_F(Plan, SizesOfBatchesArePositive) {
  EXPECT_THROW(plan_batches({request(1)}, {.pattern = file("a.png"), .batch_size = 0}), std::invalid_argument);
  EXPECT_THROW(plan_batches({request(0)}, {.pattern = file("a.png")}), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
