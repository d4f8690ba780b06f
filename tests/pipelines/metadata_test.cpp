#include "pipelines/metadata.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "images/png.h"

namespace sfumato {
namespace {

const PictureRecord kRecord{
    .request = {.prompt = "a cat", .negative_prompt = "a dog", .width = 64, .height = 72, .sampler = "ddim", .seed = 5},
    .model = "models/some",
    .device = "cpu",
    .dtype = "float32"};

TEST(Metadata, ParametersHaveTheFormOfOtherPrograms) {
  EXPECT_EQ(to_text_chunks(kRecord)[0].second,
            "a cat\nNegative prompt: a dog\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 5, Size: 64x72, "
            "Model: some, Version: sfumato");
}

TEST(Metadata, AnInitialImageHasItsStrength) {
  auto record = kRecord;
  record.request.image = "a.png";
  record.request.strength = 0.65;
  EXPECT_NE(to_text_chunks(record)[0].second.find(", Denoising strength: 0.65"), std::string::npos);
}

TEST(Metadata, ScheduleHasTheNameThatOtherProgramsGiveIt) {
  auto record = kRecord;
  record.request.sampler = "dpm++2s_a";
  for (const auto& [name, label] :
       {std::pair("karras", "Karras"), std::pair("sgm_uniform", "SGM Uniform"), std::pair("beta", "Beta")}) {
    record.request.schedule = name;
    EXPECT_NE(
        to_text_chunks(record)[0].second.find(", Sampler: DPM++ 2S a, Schedule type: " + std::string(label) + ","),
        std::string::npos);
  }
}

TEST(Metadata, TheRecordComesBackFromTheFile) {
  const auto path = std::filesystem::temp_directory_path() / ("sfumato-record-" + std::to_string(::getpid()) + ".png");
  write_png(path, torch::zeros({1, 3, 2, 2}), to_text_chunks(kRecord));
  const auto record = read_record(path);
  std::filesystem::remove(path);
  EXPECT_EQ(record.request, kRecord.request);
  EXPECT_EQ(record.model, "models/some");
  EXPECT_EQ(record.device, "cpu");
  EXPECT_EQ(record.dtype, "float32");
}

TEST(Metadata, APictureWithoutARecordIsRefused) {
  const auto path = std::filesystem::temp_directory_path() / ("sfumato-plain-" + std::to_string(::getpid()) + ".png");
  write_png(path, torch::zeros({1, 3, 2, 2}));
  EXPECT_THROW(read_record(path), std::runtime_error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace sfumato
