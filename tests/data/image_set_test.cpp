#include "data/image_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "data/image_fit.h"
#include "data/mnist.h"
#include "data/stored_images.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Fixture with a folder that is removed after the test.
class ImageSets : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& bytes) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }

  /// Returns an image of the size and shade in its file: "WIDTH HEIGHT SHADE".
  static torch::Tensor read_text(const fs::path& path) {
    std::int64_t width = 0, height = 0;
    double shade = 0;
    std::ifstream(path) >> width >> height >> shade;
    return torch::full({1, 3, height, width}, shade);
  }

  ImageSetOptions options(std::int64_t size = 4) const {
    return {.path = folder_, .image_size = size, .read_image = read_text};
  }

  std::string refusal(const std::string& format, const ImageSetOptions& options) const {
    try {
      find_image_set_format(format).open(options);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "accepted";
  }

  fs::path folder_ = fs::path(testing::TempDir()) /
                     (std::string("image-set-") + testing::UnitTest::GetInstance()->current_test_info()->name());
};

std::vector<double> shades(ImageSet& set) {
  const auto images = set.images(torch::arange(set.size()), torch::kCPU);
  std::vector<double> values;
  for (const auto& image : images.unbind()) values.push_back(image[0][0][0].item<double>());
  std::sort(values.begin(), values.end());
  return values;
}

TEST_F(ImageSets, AFolderGivesImagesOfOneSizeAndItsSubfoldersAreTheClasses) {
  write("cats/1.png", "4 4 -1");
  write("cats/deeper/2.JPG", "9 6 -1");
  write("dogs/3.webp", "5 8 1");
  write("dogs/notes.txt", "no image");
  const auto set = find_image_set_format("folder").open(options());
  EXPECT_EQ(set->size(), 3);
  EXPECT_EQ(set->image_shape(), (std::vector<std::int64_t>{3, 4, 4}));
  ASSERT_EQ(set->classes(), 2);
  const auto all = torch::arange(3);
  const auto labels = set->labels(all);
  const auto bright = set->images(all, torch::kCPU).mean({1, 2, 3}) > 0;
  EXPECT_TRUE(torch::equal(labels, bright.to(torch::kInt64))) << "cats are 0 and dark, dogs 1 and bright";
}

TEST_F(ImageSets, AFolderWithImagesBesideItsSubfoldersHasNoClasses) {
  write("cats/1.png", "4 4 0");
  write("2.png", "4 4 0");
  EXPECT_EQ(find_image_set_format("folder").open(options())->classes(), 0);
}

TEST_F(ImageSets, AFoldersHeldOutImagesAreOfAllItsFiles) {
  for (int i = 0; i < 20; ++i) write(std::to_string(i) + ".png", "4 4 " + std::to_string(i / 10 * 2 - 1));
  auto with = options();
  with.held_out = 8;
  const auto set = find_image_set_format("folder").open(with);
  EXPECT_EQ(set->held_out(), 8);
  const auto last = set->images(torch::arange(12, 20), torch::kCPU).mean({1, 2, 3});
  EXPECT_GT((last > 0).sum().item<std::int64_t>(), 0);
  EXPECT_GT((last < 0).sum().item<std::int64_t>(), 0);
  const auto again = find_image_set_format("folder").open(with);
  EXPECT_TRUE(torch::equal(again->images(torch::arange(20), torch::kCPU), set->images(torch::arange(20), torch::kCPU)));
}

TEST_F(ImageSets, WhatIsWrongWithAFolderIsNamed) {
  const auto path = "'" + folder_.string();
  EXPECT_EQ(refusal("folder", options()),
            path + "' holds no images, expected .png, .jpg, .jpeg, .webp, .bmp, .tiff, .tif, .gif");
  auto missing = options();
  missing.path = folder_ / "none";
  EXPECT_EQ(refusal("folder", missing), path + "/none' is no folder of images");
  write("1.png", "5 4 0");
  auto exact = options();
  exact.resize = "none";
  EXPECT_EQ(refusal("folder", exact), path + "/1.png': an image of 5 x 4 pixels, expected 4 x 4 with 'resize' none");
  auto all = options();
  all.held_out = 1;
  EXPECT_EQ(refusal("folder", all), "'held_out' is 1, expected fewer than the set's 1 images");
  auto blind = options();
  blind.read_image = {};
  EXPECT_NE(refusal("folder", blind).find("this build reads no image files"), std::string::npos);
}

TEST_F(ImageSets, EveryWayToResizeGivesASquare) {
  const auto ramp = torch::linspace(-1, 1, 8).expand({3, 4, 8});
  EXPECT_TRUE(torch::equal(fit_image(ramp, 4, "center_crop"), ramp.narrow(2, 2, 4)));
  EXPECT_EQ(fit_image(ramp, 6, "stretch").sizes(), (std::vector<std::int64_t>{3, 6, 6}));
  const auto padded = fit_image(ramp, 8, "pad");
  EXPECT_TRUE(torch::equal(padded.narrow(1, 2, 4), ramp));
  EXPECT_EQ(padded[0][0].max().item<double>(), -1);
  EXPECT_THROW(fit_image(ramp, 6, "pad"), std::invalid_argument);
  EXPECT_EQ(with_channels(torch::ones({3, 2, 2}), 1).sizes(), (std::vector<std::int64_t>{1, 2, 2}));
}

TEST_F(ImageSets, LevelsSurviveBothWays) {
  const auto levels = torch::arange(256, torch::kUInt8);
  EXPECT_TRUE(torch::equal(to_levels(from_levels(levels)), levels));
}

/// Returns an idx file of bytes.
std::string idx(const std::vector<int>& shape, const std::string& content) {
  std::string bytes{0, 0, 8, static_cast<char>(shape.size())};
  for (const int extent : shape) bytes += {0, 0, 0, static_cast<char>(extent)};
  return bytes + content;
}

TEST_F(ImageSets, MnistIsReadWithItsTestSetHeldOut) {
  write("train-images-idx3-ubyte", idx({2, 2, 2}, std::string(4, '\0') + std::string(4, '\xff')));
  write("train-labels-idx1-ubyte", idx({2}, {0, 1}));
  write("t10k-images-idx3-ubyte", idx({1, 2, 2}, std::string(4, '\xff')));
  write("t10k-labels-idx1-ubyte", idx({1}, {1}));
  auto grey = options(2);
  grey.channels = 1;
  const auto set = find_image_set_format("mnist").open(grey);
  EXPECT_EQ(set->size(), 3);
  EXPECT_EQ(set->held_out(), 1);
  EXPECT_EQ(set->classes(), 2);
  EXPECT_EQ(shades(*set), (std::vector<double>{-1, 1, 1}));
  auto wide = options(4);
  wide.resize = "pad";
  EXPECT_EQ(find_image_set_format("mnist").open(wide)->image_shape(), (std::vector<std::int64_t>{3, 4, 4}));
  write("t10k-labels-idx1-ubyte", idx({1}, {5}));
  EXPECT_NE(refusal("mnist", grey).find("a held-out label is 5, expected 0 to 1"), std::string::npos);
}

TEST_F(ImageSets, ADamagedIdxFileIsNamed) {
  write("short", idx({3}, "ab"));
  write("packed", "\x1f\x8b..");
  EXPECT_THROW(read_idx(folder_ / "short"), std::runtime_error);
  EXPECT_THROW(read_idx(folder_ / "packed"), std::runtime_error);
  EXPECT_NE(refusal("mnist", options()).find("train-images-idx3-ubyte' is missing"), std::string::npos);
}

TEST_F(ImageSets, Cifar10IsReadWithItsTestBatchHeldOut) {
  const auto record = [](char label, char red, char green) {
    return std::string(1, label) + std::string(1024, red) + std::string(1024, green) + std::string(1024, '\0');
  };
  write("data_batch_1.bin", record(3, '\xff', '\0') + record(9, '\0', '\xff'));
  write("test_batch.bin", record(1, '\0', '\0'));
  const auto set = find_image_set_format("cifar10").open(options(32));
  EXPECT_EQ(set->size(), 3);
  EXPECT_EQ(set->held_out(), 1);
  EXPECT_EQ(set->classes(), 10);
  EXPECT_TRUE(torch::equal(set->labels(torch::arange(3)), torch::tensor({3L, 9L, 1L})));
  const auto images = set->images(torch::tensor({0L}), torch::kCPU);
  EXPECT_EQ(images[0][0].min().item<double>(), 1);
  EXPECT_EQ(images[0][1].max().item<double>(), -1);
  auto small = options(28);
  small.resize = "pad";
  EXPECT_EQ(refusal("cifar10", small),
            "'" + folder_.string() + "': an image of 32 x 32 pixels, expected at most 28 x 28 with 'resize' pad");
  write("test_batch.bin", record(12, '\0', '\0'));
  EXPECT_NE(refusal("cifar10", options(32)).find("has a label 12, expected 0 to 9"), std::string::npos);
  write("test_batch.bin", "short");
  EXPECT_NE(refusal("cifar10", options(32)).find("has 5 bytes, expected a multiple of 3073"), std::string::npos);
}

TEST_F(ImageSets, AnUnknownFormatIsRefusedWithThoseThatThereAre) {
  EXPECT_THROW(find_image_set_format("lmdb"), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
