#include "engine/metadata.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "images/png.h"

namespace sfumato {
namespace {

/// Sets each member: g++ 12 mistakes the request's empty texts in an initialiser for uninitialised ones.
ImageRecord sample_record() {
  ImageRecord record;
  record.request.prompt = "a cat";
  record.request.negative_prompt = "a dog";
  record.request.width = 64;
  record.request.height = 72;
  record.request.sampler = "ddim";
  record.request.seed = 5;
  record.model = "models/some";
  record.vae = "vaes/other.safetensors";
  record.device = "cpu";
  record.dtype = "float32";
  record.adapters = {.loras = {{"a.safetensors", 0.75}, {"b.safetensors"}}, .embeddings = {"c.pt"}};
  return record;
}

const ImageRecord kRecord = sample_record();

TEST(Metadata, ParametersHaveTheFormOfOtherPrograms) {
  EXPECT_EQ(to_text_chunks(kRecord)[0].second,
            "a cat <lora:a:0.75> <lora:b:1>\nNegative prompt: a dog\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: "
            "5, Size: 64x72, "
            "Model: some, VAE: other.safetensors, RNG: CPU, Version: sfumato");
}

TEST(Metadata, AnInitialImageHasItsStrength) {
  auto record = kRecord;
  record.request.image = "a.png";
  record.request.strength = 0.65;
  EXPECT_NE(to_text_chunks(record)[0].second.find(", Denoising strength: 0.65"), std::string::npos);
}

TEST(Metadata, ARefinerHasItsSwitch) {
  auto record = kRecord;
  record.request.refiner = {.model = "models/xl_refiner.safetensors", .switch_at = 0.75};
  EXPECT_NE(to_text_chunks(record)[0].second.find(", Refiner: xl_refiner.safetensors, Refiner switch at: 0.75"),
            std::string::npos);
}

TEST(Metadata, ControlNetsStandAsOtherProgramsWriteThem) {
  auto record = kRecord;
  record.request.controls = {{.model = "some/canny", .image = "a.png", .preprocess = "canny", .scale = 0.8, .end = 0.5},
                             {.model = "depth.safetensors", .image = "b.png"}};
  EXPECT_NE(to_text_chunks(record)[0].second.find(
                ", ControlNet 0: \"Module: canny, Model: canny, Weight: 0.8, Guidance Start: 0, Guidance End: 0.5\", "
                "ControlNet 1: \"Module: none, Model: depth.safetensors, Weight: 1, Guidance Start: 0, "
                "Guidance End: 1\""),
            std::string::npos);
}

TEST(Metadata, SaysHowTheImageWasComputedWhereThatIsNotAsUsual) {
  const auto usual = to_text_chunks(kRecord)[1].second;
  EXPECT_EQ(usual.find("tf32"), std::string::npos);
  EXPECT_EQ(usual.find("vae_tiling"), std::string::npos);
  auto record = kRecord;
  record.tf32 = true;
  record.vae_tiling = "on";
  const auto path = std::filesystem::temp_directory_path() / ("sfumato_usual_" + std::to_string(::getpid()) + ".png");
  write_png(path, torch::zeros({1, 3, 2, 2}), to_text_chunks(record));
  EXPECT_TRUE(read_record(path).tf32);
  EXPECT_EQ(read_record(path).vae_tiling, "on");
  std::filesystem::remove(path);
}

TEST(Metadata, WhatIsRarelySetHasAutomatic1111sNames) {
  auto record = kRecord;
  record.model = "models/a, b: c.safetensors";
  record.request.clip_skip = 2;
  record.request.rng = "cuda";
  record.request.eta = 0.5;
  EXPECT_TRUE(to_text_chunks(record)[0].second.ends_with(
      "Model: \"a, b: c.safetensors\", VAE: other.safetensors, Clip skip: 2, RNG: NV, Eta DDIM: 0.5, Version: sfumato"))
      << to_text_chunks(record)[0].second;
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
  EXPECT_EQ(record.vae, "vaes/other.safetensors");
  EXPECT_EQ(record.device, "cpu");
  EXPECT_EQ(record.dtype, "float32");
  EXPECT_EQ(to_json(record.adapters),
            nlohmann::ordered_json::parse(R"({"loras": [{"path": "a.safetensors", "weight": 0.75},
                                                        {"path": "b.safetensors", "weight": 1.0}],
                                              "embeddings": ["c.pt"]})"));
}

TEST(Metadata, AImageWithoutARecordIsRefused) {
  const auto path = std::filesystem::temp_directory_path() / ("sfumato-plain-" + std::to_string(::getpid()) + ".png");
  write_png(path, torch::zeros({1, 3, 2, 2}));
  EXPECT_THROW(read_record(path), std::runtime_error);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace sfumato
