#include "systems/model_index.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace sfumato {
namespace {

class ModelIndexTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("sfumato-index-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "unet");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write(const Json& json) { std::ofstream(folder_ / "model_index.json") << json; }

  /// Returns the error of reading or of `use` of the index.
  template <class Use>
  std::string refusal(const Use& use) {
    try {
      use(ModelIndex(folder_));
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }
  std::string refusal() {
    return refusal([](const ModelIndex&) {});
  }

  std::filesystem::path folder_;
};

TEST_F(ModelIndexTest, NamesThePartsThatAreThere) {
  write({{"_class_name", "LDMPipeline"},
         {"unet", {"diffusers", "UNet2DModel"}},
         {"vqvae", {nullptr, nullptr}},
         {"scheduler", {"diffusers", "DDIMScheduler"}}});
  const ModelIndex index(folder_);
  EXPECT_EQ(index.pipeline_class().system, System::unconditional);
  EXPECT_TRUE(index.names("unet"));
  EXPECT_FALSE(index.names("vqvae"));
  EXPECT_FALSE(index.names("vae"));
  EXPECT_EQ(index.class_of("unet", {"UNet2DConditionModel", "UNet2DModel"}), "UNet2DModel");
  EXPECT_NE(refusal([](const ModelIndex& i) {
              i.class_of("unet", {"A", "B"});
            }).find("expected A or B"),
            std::string::npos);
  EXPECT_NE(refusal([](const ModelIndex& i) { i.class_of("scheduler", {"DDIMScheduler"}); }).find("missing"),
            std::string::npos);
}

TEST_F(ModelIndexTest, RefusesAnUnknownClassWithTheProgramsAndWhatTheyRun) {
  write({{"_class_name", "FluxPipeline"}});
  for (const auto* word :
       {"'FluxPipeline'", "txt2img", "StableDiffusionPipeline", "sample", "DDPMPipeline", "LDMPipeline"})
    EXPECT_NE(refusal().find(word), std::string::npos) << refusal();
}

TEST_F(ModelIndexTest, NamesTheProgramsOfAnotherSystem) {
  write({{"_class_name", "DDPMPipeline"}});
  const auto text = [](const ModelIndex& index) { index.require_system(System::stable_diffusion); };
  EXPECT_TRUE(refusal(text).ends_with("it is a DDPMPipeline, which takes no prompt: use sample"));
  write({{"_class_name", "StableDiffusionPipeline"}});
  EXPECT_EQ(refusal(text), "");
}

TEST_F(ModelIndexTest, RefusesAFolderWithoutOne) {
  EXPECT_NE(refusal().find("no model_index.json"), std::string::npos);
  write(Json::array({1, 2}));
  EXPECT_NE(refusal().find("holds no object"), std::string::npos);
}

}  // namespace
}  // namespace sfumato
