#include "images/read.h"

#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "images/exif.h"
#include "images/jpeg.h"
#include "images/pixels.h"
#include "images/png.h"
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

  /// Message that reading `path` throws; fails if it prints to stderr or throws nothing.
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

cv::Mat noise_image() {
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
  EXPECT_EQ(read_image(written("a.jpg", noise_image())).sizes(), (std::vector<std::int64_t>{1, 3, 64, 64}));
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
  // Orientation 6: the stored left side is shown at the top. APP1, TIFF header, a directory of one entry.
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

/// A TIFF header and a directory of one entry, orientation 6: the stored left side is shown at the top.
const std::string kTurned(
    "II*\0\x08\0\0\0"
    "\x01\0"
    "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    "\0\0\0\0",
    26);

/// The left half white, the right half black, encoded.
std::string half_white(const std::string& extension, int type) {
  const auto white = cv::Scalar::all(CV_MAT_DEPTH(type) == CV_16U ? 65535 : 255);
  cv::Mat stored(16, 32, type, white);
  stored.colRange(16, 32).setTo(cv::Scalar(0, 0, 0, white[3]));
  std::vector<std::uint8_t> bytes;
  cv::imencode(extension, stored, bytes, {cv::IMWRITE_WEBP_QUALITY, 101});  // lossless
  return {bytes.begin(), bytes.end()};
}

/// Returns a number as the bytes of a file.
std::string bytes_of(std::uint32_t value, bool big_endian) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> 8 * (big_endian ? 3 - i : i));
  return bytes;
}

class Turned : public Read {
 protected:
  /// Expects an image 32 high, white above and black below.
  void expect_turned(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    const auto image = read_image(folder_ / name);
    ASSERT_EQ(image.sizes(), (std::vector<std::int64_t>{1, 3, 32, 16}));
    EXPECT_EQ(image.slice(2, 0, 16).min().item<float>(), 1);
    EXPECT_EQ(image.slice(2, 16, 32).max().item<float>(), -1);
  }
};

TEST_F(Turned, APngWithAlphaOrWithout) {
  const std::uint32_t checksum = 0xB7481129;  // zlib.crc32 of the chunk's name and data
  for (const int type : {CV_8UC4, CV_8UC3, CV_16UC4, CV_16UC3, CV_8UC1}) {
    auto bytes = half_white(".png", type);
    bytes.insert(33, bytes_of(26, true) + "eXIf" + kTurned + bytes_of(checksum, true));  // after IHDR
    expect_turned("a.png", bytes);
  }
}

TEST_F(Turned, AWebpWithAlphaOrWithout) {
  for (const int type : {CV_8UC4, CV_8UC3}) {
    const auto simple = half_white(".webp", type);
    // The extended form: RIFF, size, WEBP; VP8X with flags for EXIF and alpha, width - 1 and height - 1; then the rest.
    const auto flags = std::string(1, type == CV_8UC4 ? '\x18' : '\x08') + std::string(3, '\0');
    auto body = "WEBPVP8X" + bytes_of(10, false) + flags + bytes_of(31, false).substr(0, 3) +
                bytes_of(15, false).substr(0, 3) + simple.substr(12) + "EXIF" + bytes_of(26, false) + kTurned;
    expect_turned("a.webp", "RIFF" + bytes_of(static_cast<std::uint32_t>(body.size()), false) + body);
  }
}

// alpha.tif, saved by Pillow, is 4 x 4 of RGB (255, 0, 0) at alpha 128, marked as unassociated; OpenCV saves alpha
// without such a mark.
TEST_F(Read, ATiffsAlphaShowsWhiteBehindOnce) {
  for (const auto& path : {std::filesystem::path(SFUMATO_SOURCE_DIR) / "tests" / "images" / "alpha.tif",
                           written("a.tif", cv::Mat(4, 4, CV_8UC4, cv::Scalar(0, 0, 255, 128)))}) {
    const auto image = read_image(path);
    EXPECT_NEAR(pixel(image)[0], 1, 0.01) << path;
    EXPECT_NEAR(pixel(image)[1], 2 * (1 - 128.0 / 255) - 1, 0.01) << path;
  }
}

/// Returns the path of a file of tests/images.
std::filesystem::path stored(const std::string& name) {
  return std::filesystem::path(SFUMATO_SOURCE_DIR) / "tests" / "images" / name;
}

// Each .png is the first frame as Pillow 13 decodes it, converted to RGBA.
TEST_F(Read, TheFirstFrameOfAGif) {
  for (const std::string name : {"noise", "interlaced"})
    EXPECT_TRUE(torch::equal(read_image(stored(name + ".gif")), read_image(stored(name + "_gif.png")))) << name;
}

TEST_F(Read, TheFirstFrameOfAnAnimatedWebp) {
  for (const std::string name : {"animated", "animated_lossy"}) {
    const auto frame = read_image(stored(name + ".webp")), expected = read_image(stored(name + "_webp.png"));
    ASSERT_EQ(frame.sizes(), expected.sizes());
    // Neither rounds alpha times colour to 8 bits: the pixels are the same bytes.
    EXPECT_LE((frame - expected).abs().max().item<float>(), 1e-6) << name;
  }
}

TEST_F(Read, ADamagedGifIsRefused) {
  std::ifstream file(stored("noise.gif"), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  for (const std::size_t size : {10U, 500U, 800U, 3000U}) {
    std::ofstream(folder_ / "a.gif", std::ios::binary) << whole.substr(0, size);
    EXPECT_NE(complaint(folder_ / "a.gif").find("GIF"), std::string::npos) << size;
  }
}

// Grey of 8 bits, 64 x 64, whose left half has the value that tRNS calls transparent.
TEST_F(Read, TransparencyOfAGreyPngShowsWhite) {
  const auto image = read_image(stored("grey_transparency.png"));
  EXPECT_EQ(image.slice(3, 0, image.size(3) / 2).min().item<float>(), 1);
  EXPECT_LT(image.slice(3, image.size(3) / 2).max().item<float>(), 1);
}

// Red on the left, saved with two bytes (CR LF) between two segments, which libjpeg skips.
TEST_F(Read, BytesBetweenTheSegmentsOfAJpegAreSkipped) {
  const auto image = read_image(stored("junk_between.jpg"));
  const auto left = image.slice(3, 0, 16);
  EXPECT_NEAR(left[0][0].mean().item<float>(), 254 / 127.5 - 1, 0.01);
  EXPECT_NEAR(left[0][1].mean().item<float>(), -1, 0.01);
}

TEST_F(Read, FloatingPointPixelsAreThoseOfTheirRange) {
  for (const auto& [name, type] : {std::pair("a.tif", CV_32FC1), std::pair("a.tif", CV_64FC1),
                                   std::pair("a.pfm", CV_32FC1), std::pair("a.pfm", CV_32FC3)}) {
    const auto image = read_image(written(name, cv::Mat(2, 2, type, cv::Scalar::all(0.75))));
    EXPECT_EQ(image.min().item<float>(), 0.5) << name;
    EXPECT_EQ(image.max().item<float>(), 0.5) << name;
    EXPECT_NE(complaint(written(name, cv::Mat(2, 2, type, cv::Scalar::all(200)))).find("200, expected 0 to 1"),
              std::string::npos)
        << name;
  }
}

TEST_F(Read, NetpbmPixelsAreScaledByTheLargestValue) {
  for (const auto& [header, pixels] : {std::pair<std::string, std::string>("P5 1 1 100\n", "\x32"),
                                       {"P6\n# one\n# two\n1 1\n100\n", "\x32\x32\x32"},
                                       {"P5\n1 1\n4094\n", "\x07\xff"},
                                       {"P2\n1 1\n100\n", "50\n"}}) {
    std::ofstream(folder_ / "a.pnm", std::ios::binary) << header << pixels;
    EXPECT_NEAR(read_image(folder_ / "a.pnm")[0][0].item<float>(), 0, 0.005) << header;  // 127 of 255 in P2
  }
}

TEST_F(Read, ATiffWhoseAlphaOpencvWouldLeaveOutIsRefused) {
  EXPECT_NE(complaint(stored("grey_alpha.tif")).find("grey with alpha"), std::string::npos);
}

/// Returns a raw profile of EXIF in hexadecimal digits, as ImageMagick writes it into a PNG.
std::string raw_profile(const std::string& name, const std::string& bytes) {
  std::string digits;
  for (const unsigned char byte : bytes) {
    if (digits.size() % 73 == 72) digits += '\n';
    for (const int half : {byte >> 4, byte & 15}) digits += "0123456789abcdef"[half];
  }
  return "\n" + name + "\n      " + std::to_string(bytes.size()) + "\n" + digits + "\n";
}

const std::string kXmp = R"(<x:xmpmeta><rdf:Description dc:title="é 猫" tiff:Orientation="6"/></x:xmpmeta>)";

TEST_F(Turned, APngByXmpOrARawProfile) {
  auto image = -torch::ones({1, 3, 16, 32});
  image.slice(3, 0, 16).fill_(1);
  const std::string exif("Exif\0\0", 6);
  for (const auto& [keyword, text] :
       TextChunks{{"Raw profile type exif", raw_profile("exif", kTurned)},
                  {"Raw profile type exif", raw_profile("exif", exif + kTurned)},
                  {"Raw profile type APP1", raw_profile("generic profile", exif + kTurned)},
                  {"Raw profile type xmp", raw_profile("xmp", kXmp)},
                  {"XML:com.adobe.xmp", kXmp},
                  {"XML:com.adobe.xmp", "<tiff:Orientation>6</tiff:Orientation>"}})
    expect_turned("a.png", encode_png(image, {{keyword, text}}));
}

TEST_F(Turned, AWebpByXmp) {
  const auto simple = half_white(".webp", CV_8UC3);
  auto body = "WEBPVP8X" + bytes_of(10, false) + '\x04' + std::string(3, '\0') + bytes_of(31, false).substr(0, 3) +
              bytes_of(15, false).substr(0, 3) + simple.substr(12) + "XMP " +
              bytes_of(static_cast<std::uint32_t>(kXmp.size()), false) + kXmp + std::string(kXmp.size() % 2, '\0');
  expect_turned("a.webp", "RIFF" + bytes_of(static_cast<std::uint32_t>(body.size()), false) + body);
}

TEST_F(Turned, AJpegByXmpUnlessItsExifDecides) {
  const auto stored_jpeg = half_white(".jpg", CV_8UC3);
  const auto app1 = [](const std::string& content) {
    return std::string("\xFF\xE1") + bytes_of(static_cast<std::uint32_t>(content.size() + 2), true).substr(2) + content;
  };
  const auto xmp = app1(std::string("http://ns.adobe.com/xap/1.0/\0", 29) + kXmp);
  auto upright = kTurned;
  upright[18] = 1;
  const auto size = [&](const std::string& segments) {
    std::ofstream(folder_ / "a.jpg", std::ios::binary) << stored_jpeg.substr(0, 2) + segments + stored_jpeg.substr(2);
    return read_image(folder_ / "a.jpg").size(2);
  };
  EXPECT_EQ(size(xmp), 32);
  EXPECT_EQ(size(app1(std::string("Exif\0\0", 6) + upright) + xmp), 16);
}

TEST(Exif, EveryOrientationIsRead) {
  for (int value = 0; value <= 9; ++value) {
    auto exif = kTurned;
    exif[18] = static_cast<char>(value);
    const auto png = "\x89PNG\r\n\x1a\n" + bytes_of(26, true) + "eXIf" + exif + "sum!";
    EXPECT_EQ(exif_orientation(png), value >= 1 && value <= 8 ? value : 1);
  }
}

TEST(Exif, DamagedDataSaysNothing) {
  const auto png = "\x89PNG\r\n\x1a\n" + bytes_of(26, true) + "eXIf" + kTurned + "sum!";
  for (std::size_t size = 0; size < 35; ++size) EXPECT_EQ(exif_orientation(png.substr(0, size)), 1) << size;
  auto far = png;
  far.replace(8, 4, "\xff\xff\xff\xff");
  EXPECT_EQ(exif_orientation(far.substr(0, 30)), 1);
}

TEST_F(Read, ATruncatedJpegIsRefused) {
  EXPECT_NE(complaint(truncated(written("a.jpg", noise_image()), 0.7)).find("truncated"), std::string::npos);
}

TEST_F(Read, ATruncatedPngIsRefused) {
  complaint(truncated(written("a.png", noise_image()), 0.7));
}

TEST_F(Read, ADamagedPngIsRefused) {
  const auto path = written("a.png", noise_image());
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
