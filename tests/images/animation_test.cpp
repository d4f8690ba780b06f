#include "images/animation.h"

#include <gtest/gtest.h>

#include <opencv2/videoio.hpp>
#include <stdexcept>

#include "core/files.h"
#include "images/animation_formats.h"
#include "images/read.h"
#include "images/temporary_folder.h"

namespace sfumato {
namespace {

/// Frames of one colour each.
std::vector<torch::Tensor> plain_frames(std::int64_t height = 20, std::int64_t width = 30) {
  std::vector<torch::Tensor> frames;
  for (const auto& color : {torch::tensor({250, 10, 20}), torch::tensor({10, 240, 30}), torch::tensor({20, 30, 230})})
    frames.push_back(color.to(torch::kUInt8).expand({height, width, 3}).contiguous());
  return frames;
}

std::size_t count_of(const std::string& bytes, const std::string& what) {
  std::size_t count = 0;
  for (auto at = bytes.find(what); at != std::string::npos; at = bytes.find(what, at + 1)) ++count;
  return count;
}

class Animation : public TemporaryFolder {
 protected:
  std::filesystem::path written(const std::string& name, const std::vector<torch::Tensor>& frames = plain_frames()) {
    const auto path = folder_ / name;
    write_animation(path, frames, {.frame_ms = 40, .last_frame_ms = 400});
    return path;
  }
  /// Returns the colour in the middle of the first frame, in bytes.
  static torch::Tensor first_color(const std::filesystem::path& path) {
    const auto image = (read_image(path) + 1) * 127.5;
    return image[0].slice(1, 10, 11).slice(2, 15, 16).flatten().round();
  }
};

TEST_F(Animation, GifHoldsAllFramesTheirTimesAndRepeats) {
  const auto path = written("a.gif");
  const auto bytes = read_file(path);
  EXPECT_TRUE(bytes.starts_with("GIF89a"));
  EXPECT_EQ(count_of(bytes, std::string("\x21\xF9\x04", 3)), 3U);
  EXPECT_EQ(count_of(bytes, "NETSCAPE2.0"), 1U);
  EXPECT_EQ(count_of(bytes, std::string("\x21\xF9\x04\x04\x04\x00", 6)), 2U);  // 4 hundredths of a second
  EXPECT_EQ(count_of(bytes, std::string("\x21\xF9\x04\x04\x28\x00", 6)), 1U);
  // giflib keeps the upper bits of the mean of each colour's box: within 8 of one colour's frame.
  EXPECT_LE((first_color(path) - torch::tensor({250.0, 10.0, 20.0})).abs().max().item<double>(), 8);
}

TEST_F(Animation, WebpHoldsAllFramesAndTheirTimes) {
  const auto path = written("a.webp");
  const auto bytes = read_file(path);
  EXPECT_EQ(count_of(bytes, "ANMF"), 3U);
  EXPECT_LE((first_color(path) - torch::tensor({250.0, 10.0, 20.0})).abs().max().item<double>(), 6);  // lossy
}

TEST_F(Animation, Mp4HoldsAllFramesAndTheLastForLonger) {
  const auto path = written("a.mp4");
  cv::VideoCapture video(path.string());
  ASSERT_TRUE(video.isOpened());
  EXPECT_NEAR(video.get(cv::CAP_PROP_FPS), 25, 0.01);
  int count = 0;
  cv::Mat frame;
  while (video.read(frame)) ++count;
  EXPECT_EQ(count, 2 + 10);
}

TEST_F(Animation, AnMp4ThatADiskCutShortIsNotWhole) {
  const auto bytes = read_file(written("a.mp4"));
  EXPECT_TRUE(is_whole_mp4(bytes));
  EXPECT_FALSE(is_whole_mp4(bytes.substr(0, bytes.size() - 1)));
  EXPECT_FALSE(is_whole_mp4(bytes.substr(0, bytes.size() / 2)));
  EXPECT_FALSE(is_whole_mp4(bytes.substr(0, bytes.find("moov") - 4)));  // whole boxes, but no index
  EXPECT_FALSE(is_whole_mp4(""));
}

TEST_F(Animation, OfOddSidesLosesARowAndAColumnAsMp4) {
  cv::VideoCapture video(written("a.mp4", plain_frames(21, 33)).string());
  EXPECT_EQ(video.get(cv::CAP_PROP_FRAME_WIDTH), 32);
  EXPECT_EQ(video.get(cv::CAP_PROP_FRAME_HEIGHT), 20);
}

TEST_F(Animation, LeavesNothingButTheFile) {
  for (const auto* name : {"a.gif", "a.webp", "a.mp4"}) written(name);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) files += entry.is_regular_file();
  EXPECT_EQ(files, 3U);
}

TEST_F(Animation, RefusesOtherNames) {
  for (const auto* name : {"a.png", "a.avi", "gif", "a"})
    EXPECT_THROW(check_animation_name(name), std::invalid_argument) << name;
}

}  // namespace
}  // namespace sfumato
