#include "engine/model_choice.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// A model folder whose UNet has a file of a given size, which takes no space on the disk.
class ModelFolder {
 public:
  explicit ModelFolder(std::uintmax_t size) {
    fs::create_directories(path_ / "unet");
    const auto file = path_ / "unet" / "diffusion_pytorch_model.safetensors";
    std::ofstream(file).close();
    fs::resize_file(file, size);
  }
  ~ModelFolder() { fs::remove_all(path_); }
  ModelFolder(const ModelFolder&) = delete;
  ModelFolder& operator=(const ModelFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_ = fs::temp_directory_path() / ("sfumato-model-choice-" + std::to_string(getpid()));
};

constexpr std::uintmax_t kMiB = std::uintmax_t{1} << 20;

TEST(PrefersBfloat16, WithALargeModelOnAProcessorWithAmx) {
  const ModelFolder model(256 * kMiB);
  EXPECT_TRUE(prefers_bfloat16(model.path(), torch::kCPU, /*amx=*/true));
  EXPECT_TRUE(prefers_bfloat16(model.path() / "unet" / "diffusion_pytorch_model.safetensors", torch::kCPU, true));
  EXPECT_FALSE(prefers_bfloat16(model.path(), torch::kCPU, /*amx=*/false));
  EXPECT_FALSE(prefers_bfloat16(model.path(), torch::kCUDA, true));
}

TEST(PrefersBfloat16, NotWithASmallModel) {
  const ModelFolder model(255 * kMiB);
  EXPECT_FALSE(prefers_bfloat16(model.path(), torch::kCPU, /*amx=*/true));
}

}  // namespace
}  // namespace sfumato
