#include "scenes/pack_writer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <opencv2/imgcodecs.hpp>

#include "data/pack.h"
#include "scenes/captioned_folder.h"

namespace sfumato {
namespace {

/// Tokenizer with a token for each letter.
class Letters : public Tokenizer {
 public:
  Tokens encode(const std::string& text) const override {
    Tokens tokens{std::vector<std::int64_t>(8, 0), ""};
    for (std::size_t i = 0; i < text.size() && i < 8; ++i) tokens.ids[i] = text[i];
    return tokens;
  }
  std::vector<std::int64_t> text_ids(const std::string& text) const override { return {text.begin(), text.end()}; }
  SpecialIds special_ids() const override { return {}; }
  std::int64_t max_length() const override { return 8; }
};

class Folder : public testing::Test {
 protected:
  std::filesystem::path path_ =
      std::filesystem::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
  void SetUp() override { std::filesystem::create_directories(path_); }
  void TearDown() override { std::filesystem::remove_all(path_); }

  void picture(const std::string& name, const cv::Mat& pixels) { cv::imwrite((path_ / name).string(), pixels); }
  void text(const std::string& name, const std::string& content) { std::ofstream(path_ / name) << content; }
  std::string refusal() {
    try {
      list_captioned_images(path_);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  }
};

TEST_F(Folder, APackHoldsTheScenesItWasGiven) {
  Scene scene;
  scene.items = {{.cutout = 0, .x = .25, .y = .5, .side = .5, .flip = true, .rotation = .1}};
  scene.backdrop.top = {.1, .2, .3};
  PackContents contents;
  contents.cutouts = torch::zeros({1, 4, 8, 8}, torch::kUInt8);
  contents.scenes = to_tensors({scene, scene});
  contents.captions = {"one", "two"};
  contents.probes = {"p"};
  contents.held_out = 1;
  write_pack(path_ / "pack", contents, Letters());
  Pack pack(path_ / "pack", 16);
  EXPECT_EQ(pack.size(), 2);
  EXPECT_EQ(pack.caption(1), "two");
  EXPECT_EQ(pack.ids(torch::tensor({1}))[0][0].item<int>(), 't');
  const auto expected = torch::tensor({.1F, .2F, .3F}) * 2 - 1;
  EXPECT_TRUE(torch::allclose(pack.images(torch::tensor({0})).select(3, 0).select(2, 0)[0], expected, 0, 1e-6));
}

TEST_F(Folder, AsManyCaptionsAsImages) {
  PackContents contents;
  contents.images = torch::zeros({2, 3, 4, 4}, torch::kUInt8);
  contents.captions = {"only one"};
  EXPECT_THROW(write_pack(path_ / "pack", contents, Letters()), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(path_ / "pack"));
}

TEST_F(Folder, ImagesAreCutToTheirMiddle) {
  cv::Mat wide(10, 30, CV_8UC3, cv::Scalar(0, 0, 255));  // red, its middle third green
  wide(cv::Rect(10, 0, 10, 10)).setTo(cv::Scalar(0, 255, 0));
  picture("a.png", wide);
  text("a.txt", "wide\n");
  const auto files = list_captioned_images(path_).files;
  ASSERT_EQ(files.size(), 1);
  EXPECT_EQ(files[0].captions, std::vector<std::string>{"wide"});
  const auto square = read_squares(files, 10)[0];
  EXPECT_EQ(square[1].min().item<int>(), 255);
  EXPECT_EQ(square[0].max().item<int>(), 0);
}

TEST_F(Folder, TransparencyIsWhiteAndGreyIsRead) {
  picture("a.png", cv::Mat(4, 4, CV_8UC4, cv::Scalar(0, 0, 0, 0)));
  picture("b.png", cv::Mat(4, 4, CV_16UC1, cv::Scalar(65535)));
  text("a.txt", "clear");
  text("b.txt", "white");
  EXPECT_EQ(read_squares(list_captioned_images(path_).files, 4).min().item<int>(), 255);
}

TEST_F(Folder, MetadataNamesFilesAndCaptions) {
  picture("x.png", cv::Mat(4, 4, CV_8UC3));
  text("metadata.jsonl", R"({"file_name": "x.png", "text": "a thing"})"
                         "\n");
  EXPECT_EQ(list_captioned_images(path_).files[0].captions, std::vector<std::string>{"a thing"});
}

using Captions = std::vector<std::string>;

TEST_F(Folder, MetadataMayHaveTheKeyCaptionAndLists) {
  picture("y.png", cv::Mat(4, 4, CV_8UC3));
  text("metadata.jsonl", R"({"file_name": "x.png", "caption": "a thing"})"
                         "\n\n"
                         R"({"file_name": "x2.png", "text": ["one", "two"]})");
  const auto [files, notes] = list_captioned_images(path_);
  EXPECT_EQ(files[0].captions, Captions{"a thing"});
  EXPECT_EQ(files[1].captions, (Captions{"one", "two"}));
  EXPECT_EQ(notes, Captions{"1 images left out, since metadata.jsonl does not list them"});
  text("metadata.jsonl", R"({"file_name": "x.png", "text": []})");
  EXPECT_NE(refusal().find("metadata.jsonl:1"), std::string::npos);
}

TEST_F(Folder, MetadataMayBeATable) {
  text("metadata.csv",
       "\xEF\xBB\xBF"
       "file_name,source,text\r\nx.png,me,\"a cat, \"\"big\"\"\nand red\"\r\n\r\ny.png,,a dog\n");
  const auto files = list_captioned_images(path_).files;
  ASSERT_EQ(files.size(), 2);
  EXPECT_EQ(files[0].image, path_ / "x.png");
  EXPECT_EQ(files[0].captions, Captions{"a cat, \"big\" and red"});
  EXPECT_EQ(files[1].captions, Captions{"a dog"});
  text("metadata.csv", "file_name,text\nx.png,a cat\ny.png\n");
  EXPECT_NE(refusal().find("metadata.csv:3: expected 2 fields, found 1"), std::string::npos);
  text("metadata.csv", "file,text\nx.png,a cat\n");
  EXPECT_NE(refusal().find("metadata.csv:1: expected columns file_name"), std::string::npos);
  text("metadata.jsonl", "");
  EXPECT_NE(refusal().find("expected one of them"), std::string::npos);
}

TEST_F(Folder, CaptionFilesHaveACaptionALine) {
  picture("x.png", cv::Mat(4, 4, CV_8UC3));
  text("x.caption", "one\r\n\n two \n");
  EXPECT_EQ(list_captioned_images(path_).files[0].captions, (Captions{"one", "two"}));
  text("x.txt", "one\ntwo\n");
  EXPECT_EQ(list_captioned_images(path_).files.size(), 1);
  text("x.txt", "another");
  EXPECT_NE(refusal().find("x.png has a .txt and a .caption that differ"), std::string::npos);
}

TEST_F(Folder, SubfoldersOfKohyaRepeatTheirImages) {
  for (const char* name : {"10_big cat", "20_dog_x", "other", "10"}) std::filesystem::create_directory(path_ / name);
  for (const char* name : {"10_big cat/a.png", "10_big cat/b.png", "20_dog_x/c.png", "other/d.png"})
    picture(name, cv::Mat(4, 4, CV_8UC3));
  text("10_big cat/a.caption", "one\ntwo");
  text("20_dog_x/c.txt", "a dog");
  const auto [files, notes] = list_captioned_images(path_);
  ASSERT_EQ(files.size(), 3);
  EXPECT_EQ(files[1].captions, Captions{"big cat"});
  EXPECT_EQ((std::vector<std::int64_t>{files[0].repeats, files[1].repeats, files[2].repeats}),
            (std::vector<std::int64_t>{10, 10, 20}));
  EXPECT_EQ(notes,
            (Captions{"10: left out, since its name is not REPEATS_CLASS",
                      "10_big cat: 2 images, 10 times each; 1 without a caption file have 'big cat'",
                      "20_dog_x: 1 images, 20 times each", "other: left out, since its name is not REPEATS_CLASS"}));
  // In lowest terms 1, 1 and 2 times, with two rows each time: as many as the most captions of an image.
  const auto rows = caption_rows(files);
  EXPECT_EQ(rows.image, (std::vector<std::int64_t>{0, 0, 1, 1, 2, 2, 2, 2}));
  EXPECT_EQ(rows.captions, (Captions{"one", "two", "big cat", "big cat", "a dog", "a dog", "a dog", "a dog"}));
}

TEST_F(Folder, CaptionsOfAPackMayShareAnImage) {
  PackContents contents;
  contents.images = torch::arange(2).to(torch::kUInt8).view({2, 1, 1, 1}).expand({2, 3, 4, 4}).contiguous();
  contents.image_indices = torch::tensor({0, 0, 1}, torch::kInt64);
  contents.captions = {"one", "two", "three"};
  write_pack(path_ / "pack", contents, Letters());
  Pack pack(path_ / "pack");
  EXPECT_EQ(pack.size(), 3);
  const auto values = pack.images(torch::tensor({2, 1, 0})).select(3, 0).select(2, 0).select(1, 0);
  EXPECT_TRUE(torch::allclose((values + 1) * 127.5, torch::tensor({1.F, 0.F, 0.F}), 0, 1e-4));
}

TEST_F(Folder, FaultsAreNamed) {
  EXPECT_NE(refusal().find("no captioned images"), std::string::npos);
  picture("x.png", cv::Mat(4, 4, CV_8UC3));
  EXPECT_NE(refusal().find("x.png has no caption; expected x.txt or .caption"), std::string::npos);
  text("metadata.jsonl", "{}\n");
  EXPECT_NE(refusal().find("metadata.jsonl:1"), std::string::npos);
  text("metadata.jsonl", R"({"file_name": "gone.png", "text": "t"})"
                         "\n");
  EXPECT_THROW(read_squares(list_captioned_images(path_).files, 4), std::runtime_error);
}

}  // namespace
}  // namespace sfumato
