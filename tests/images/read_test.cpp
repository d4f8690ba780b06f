#include "images/read.h"

#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "images/jpeg.h"
#include "images/pixels.h"
#include "images/temporary_folder.h"

namespace sfumato {
namespace {

class Read : public TemporaryFolder {
 protected:
  std::filesystem::path written(const std::string& name, const cv::Mat& picture) {
    cv::imwrite((folder_ / name).string(), picture);
    return folder_ / name;
  }

  std::filesystem::path truncated(const std::filesystem::path& path, double part) {
    std::filesystem::resize_file(path, static_cast<std::uintmax_t>(part * std::filesystem::file_size(path)));
    return path;
  }

  /// What reading `path` throws; fails where it prints to stderr or throws nothing.
  static std::string complaint(const std::filesystem::path& path) {
    ::testing::internal::CaptureStderr();
    std::string message;
    try {
      read_image(path);
    } catch (const std::runtime_error& error) {
      message = error.what();
    }
    EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
    EXPECT_NE(message.find(path.string()), std::string::npos) << message;
    return message;
  }
};

/// The three channels of the only pixel, in [-1, 1].
std::vector<float> pixel(const torch::Tensor& image) {
  const auto values = image.select(3, 0).select(2, 0).flatten().contiguous();
  return {values.data_ptr<float>(), values.data_ptr<float>() + 3};
}

cv::Mat noise_picture() {
  cv::Mat picture(64, 64, CV_8UC3);
  cv::randu(picture, 0, 256);
  return picture;
}

TEST_F(Read, ColorsAreRedGreenBlue) {
  const auto image = read_image(written("a.png", cv::Mat(1, 1, CV_8UC3, cv::Scalar(0, 255, 51))));
  EXPECT_EQ(image.sizes(), (std::vector<std::int64_t>{1, 3, 1, 1}));
  EXPECT_NEAR(pixel(image)[0], -0.6, 1e-6);
  EXPECT_EQ(pixel(image)[1], 1);
  EXPECT_EQ(pixel(image)[2], -1);
}

TEST_F(Read, GreyBecomesThreeChannels) {
  const auto image = read_image(written("a.png", cv::Mat(2, 3, CV_8UC1, cv::Scalar(255))));
  EXPECT_TRUE(torch::equal(image, torch::ones({1, 3, 2, 3})));
}

TEST_F(Read, SixteenBitsKeepTheirPrecision) {
  const auto image = read_image(written("a.png", cv::Mat(1, 1, CV_16UC3, cv::Scalar(0, 1, 65535))));
  EXPECT_EQ(pixel(image)[0], 1);
  EXPECT_NEAR(pixel(image)[1], -1 + 2.0 / 65535, 1e-7);
  EXPECT_EQ(pixel(image)[2], -1);
}

TEST_F(Read, AlphaShowsWhiteBehind) {
  const auto image = read_image(written("a.png", cv::Mat(1, 1, CV_8UC4, cv::Scalar(0, 0, 0, 51))));
  for (const auto value : pixel(image)) EXPECT_NEAR(value, 0.6, 1e-6);
}

TEST_F(Read, AJpegIsReadToItsEnd) {
  EXPECT_EQ(read_image(written("a.jpg", noise_picture())).sizes(), (std::vector<std::int64_t>{1, 3, 64, 64}));
}

// cmyk.jpg is 16 x 16 of RGB (200, 30, 60), as Pillow converts it to CMYK and saves it at quality 95.
TEST_F(Read, ACmykJpegBecomesRgb) {
  const auto image = read_image(std::filesystem::path(SFUMATO_SOURCE_DIR) / "tests" / "images" / "cmyk.jpg");
  ASSERT_EQ(image.sizes(), (std::vector<std::int64_t>{1, 3, 16, 16}));
  const auto middle = ((image.slice(2, 8, 9).slice(3, 8, 9) + 1) * 127.5).flatten();
  EXPECT_LE((middle - torch::tensor({200.0F, 30.0F, 60.0F})).abs().max().item<float>(), 3) << middle;
}

TEST_F(Read, ExifOrientationTurnsAJpeg) {
  cv::Mat stored(16, 32, CV_8UC3, cv::Scalar(0, 0, 0));
  stored.colRange(0, 16).setTo(cv::Scalar(255, 255, 255));  // the left half is white
  std::vector<std::uint8_t> bytes;
  cv::imencode(".jpg", stored, bytes);
  // Orientation 6: what is stored left is shown at the top. APP1, TIFF header, a directory of one entry.
  const std::string exif(
      "\xFF\xE1\x00\x22"
      "Exif\0\0"
      "II*\0\x08\0\0\0"
      "\x01\0"
      "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
      "\0\0\0\0",
      36);
  bytes.insert(bytes.begin() + 2, exif.begin(), exif.end());
  const auto path = folder_ / "turned.jpg";
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  const auto image = read_image(path);
  ASSERT_EQ(image.sizes(), (std::vector<std::int64_t>{1, 3, 32, 16}));
  EXPECT_GT(image.slice(2, 0, 12).min().item<float>(), 0.9);
  EXPECT_LT(image.slice(2, 20, 32).max().item<float>(), -0.9);
}

TEST_F(Read, ATruncatedJpegIsRefused) {
  EXPECT_NE(complaint(truncated(written("a.jpg", noise_picture()), 0.7)).find("truncated"), std::string::npos);
}

TEST_F(Read, ATruncatedPngIsRefused) {
  complaint(truncated(written("a.png", noise_picture()), 0.7));
}

TEST_F(Read, ADamagedPngIsRefused) {
  const auto path = written("a.png", noise_picture());
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(2000);
  file << "damage";
  file.close();
  complaint(path);
}

TEST_F(Read, ATextFileIsRefused) {
  std::ofstream(folder_ / "a.png") << "not a picture";
  complaint(folder_ / "a.png");
}

TEST_F(Read, AnEmptyFileIsRefused) {
  std::ofstream(folder_ / "a.png").flush();
  complaint(folder_ / "a.png");
}

TEST_F(Read, AMissingFileAndAFolderAreRefused) {
  complaint(folder_ / "missing.png");
  complaint(folder_);
}

TEST(Jpeg, DataThatLooksLikeAMarkerDoesNotEndIt) {
  using namespace std::string_view_literals;
  const auto start = "\xFF\xD8\xFF\xDA\x00\x02 data \xFF\x00\xFF\xD0 data "sv;
  EXPECT_FALSE(is_whole_jpeg(start));
  EXPECT_TRUE(is_whole_jpeg(std::string(start) + "\xFF\xD9 garbage"));
}

}  // namespace
}  // namespace sfumato
