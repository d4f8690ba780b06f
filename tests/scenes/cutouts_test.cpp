#include "scenes/cutouts.h"

#include <gtest/gtest.h>

#include <fstream>

namespace sfumato {
namespace {

class Drawings : public testing::Test {
 protected:
  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / "drawings";
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Cutouts render(const std::string& source, ImageSources sources = {}) {
    sources.drawings = folder_;
    Image image;
    image.source = source;
    return render_cutouts({image}, sources, 32);
  }

  std::string refusal(const std::string& source, ImageSources sources = {}) {
    try {
      render(source, std::move(sources));
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  }
};

TEST_F(Drawings, AImageIsCutToWhatShowsAndFillsItsSquare) {
  // A red area of 40 x 20 in a page of 100 x 100.
  std::ofstream(folder_ / "red.svg") << R"(<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100">)"
                                     << R"(<rect x="50" y="10" width="40" height="20" fill="#f00"/></svg>)";
  const auto cutouts = render("drawing:red.svg");
  EXPECT_NEAR(cutouts.extents[0].width, 30 / 32., 1e-9);
  EXPECT_NEAR(cutouts.extents[0].height, 15 / 32., 1 / 32.);
  const auto middle = cutouts.rgba[0].select(2, 16).select(1, 16);
  EXPECT_TRUE(torch::equal(middle, torch::tensor({255, 0, 0, 255}, torch::kUInt8)));
  EXPECT_EQ(cutouts.rgba[0][3][2][16].item<int>(), 0);
}

TEST_F(Drawings, NothingToSeeIsRefused) {
  std::ofstream(folder_ / "none.svg") << R"(<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>)";
  EXPECT_NE(refusal("drawing:none.svg").find("empty"), std::string::npos);
}

TEST_F(Drawings, WhatIsMissingNamesItsPackage) {
  EXPECT_NE(refusal("drawing:gone.svg").find("gone.svg is not there"), std::string::npos);
  EXPECT_NE(refusal("stamp:gone.png").find("tuxpaint-stamps-default"), std::string::npos);
  ImageSources sources;
  sources.emoji_font = folder_ / "none.ttf";
  EXPECT_NE(refusal("emoji:1F408", sources).find("fonts-noto-color-emoji"), std::string::npos);
  EXPECT_NE(refusal("photo:x.png").find("unknown source"), std::string::npos);
}

TEST_F(Drawings, AnEmojiIsReadFromTheFont) {
  if (!std::filesystem::exists(ImageSources{}.emoji_font)) GTEST_SKIP() << "fonts-noto-color-emoji is not installed";
  // U+1F534 is a large red circle: red in its middle, nothing in its corners.
  const auto circle = render("emoji:1F534").rgba[0];
  EXPECT_GT(circle[0][16][16].item<int>(), 200);
  EXPECT_LT(circle[2][16][16].item<int>(), 100);
  EXPECT_EQ(circle[3][1][1].item<int>(), 0);
  EXPECT_NE(refusal("emoji:41").find("no picture of U+41"), std::string::npos);
}

TEST_F(Drawings, ACutFontIsRefused) {
  std::ofstream(folder_ / "cut.ttf") << std::string("\0\1\0\0\0\1\0\0\0\0\0\0cmap\0\0\0\0\0\0\1\0\0\0\0\20", 28);
  ImageSources sources;
  sources.emoji_font = folder_ / "cut.ttf";
  EXPECT_NE(refusal("emoji:1F408", sources).find("cut short"), std::string::npos);
}

}  // namespace
}  // namespace sfumato
