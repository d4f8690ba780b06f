#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "checkpoints/save.h"
#include "core/json.h"
#include "core/random.h"
#include "nn/init.h"
#include "systems/glide/generate.h"
#include "systems/glide/stage.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

Json unet_json(int side, int channels) {
  return {{"block_out_channels", {8, 16}},
          {"norm_num_groups", 4},
          {"layers_per_block", 1},
          {"down_block_types", {"ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"}},
          {"up_block_types", {"SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"}},
          {"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"},
          {"attention_head_dim", 8},
          {"cross_attention_dim", 16},
          {"class_embed_type", "simple_projection"},
          {"projection_class_embeddings_input_dim", 16},
          {"resnet_time_scale_shift", "scale_shift"},
          {"sample_size", side},
          {"in_channels", channels},
          {"out_channels", 6}};
}

const Json kText = {{"vocab_size", 258},        {"hidden_size", 16},      {"intermediate_size", 32},
                    {"num_attention_heads", 2}, {"num_hidden_layers", 1}, {"max_position_embeddings", 8}};

/// A folder of a small random GLIDE, which goes with the test.
class GLIDEFolder : public testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);
    write_stage("text_unet", "text_encoder", 8, 3);
    write_stage("upscale_unet", "upscale_text_encoder", 16, 6);
    write_json(folder_ / "text_noise_scheduler" / "scheduler_config.json", Json{{"_class_name", "DDPMScheduler"},
                                                                                {"beta_schedule", "squaredcos_cap_v2"},
                                                                                {"variance_type", "learned_range"}});
    write_json(folder_ / "upscale_noise_scheduler" / "scheduler_config.json", Json{{"_class_name", "DDIMScheduler"}});
    write_tokenizer();
    write_index();
  }
  void TearDown() override { fs::remove_all(folder_); }

  template <class Impl>
  void write_network(const std::string& part, const Json& config, const std::string& basename) {
    Impl network(Impl::Config::from_json(config));
    initialize(network, seeded_generator(1));
    std::map<std::string, torch::Tensor> tensors;
    for (const auto& item : network.named_parameters()) tensors.emplace(item.key(), item.value());
    save_weights(tensors, folder_ / part, {.basename = basename});
    write_json(folder_ / part / "config.json", config);
  }

  void write_stage(const std::string& unet, const std::string& text, int side, int channels) {
    write_network<UNet2DConditionModelImpl>(unet, unet_json(side, channels), "diffusion_pytorch_model");
    write_network<GLIDETextModelImpl>(text, kText, "model");
  }

  /// Bytes without merges.
  void write_tokenizer() {
    Json vocabulary = Json::object();
    int next = 256, id = 0;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
      const int code = printable ? byte : next++;
      std::string character(1, static_cast<char>(code));
      if (code >= 0x80) character = {static_cast<char>(0xC0 | code >> 6), static_cast<char>(0x80 | (code & 0x3F))};
      vocabulary[character] = id++;
    }
    vocabulary["<|endoftext|>"] = id;
    write_json(folder_ / "tokenizer" / "vocab.json", vocabulary);
    std::ofstream(folder_ / "tokenizer" / "merges.txt") << "#version: 0.2\n";
    write_json(folder_ / "tokenizer" / "tokenizer_config.json",
               Json{{"tokenizer_class", "GPT2Tokenizer"}, {"model_max_length", 8}});
  }

  void write_index(const Json& changes = Json::object()) {
    Json index = {{"_class_name", "GLIDEPipeline"},
                  {"text_unet", {"diffusers", "UNet2DConditionModel"}},
                  {"text_encoder", {"sfumato", "GLIDETextModel"}},
                  {"text_noise_scheduler", {"diffusers", "DDPMScheduler"}},
                  {"tokenizer", {"transformers", "GPT2Tokenizer"}},
                  {"upscale_unet", {"diffusers", "UNet2DConditionModel"}},
                  {"upscale_text_encoder", {"sfumato", "GLIDETextModel"}},
                  {"upscale_noise_scheduler", {"diffusers", "DDIMScheduler"}}};
    index.update(changes);
    write_json(folder_ / "model_index.json", index);
  }

  void make_inpainting() {
    write_stage("text_unet", "text_encoder", 8, 7);
    write_stage("upscale_unet", "upscale_text_encoder", 16, 10);
  }

  GLIDE load() const { return load_glide(folder_, {}); }

  std::string refusal() const {
    try {
      load();
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "";
  }

  fs::path folder_ = fs::temp_directory_path() / ("glide-test-" + std::to_string(::getpid()));
};

GLIDERequest short_request(std::uint64_t seed = 5, std::int64_t count = 1) {
  return {.prompt = "a cat",
          .seed = seed,
          .batch_count = count,
          .base = {.chain = {.steps = 3}, .guidance_scale = 3},
          .upsample = {.chain = {.steps = 2}}};
}

TEST_F(GLIDEFolder, MakesBothStages) {
  const auto model = load();
  int steps = 0;
  const auto images = generate(model, resolve(model, short_request()), [&](int step, int all, const torch::Tensor&) {
    EXPECT_EQ(step, steps++);
    EXPECT_EQ(all, 5);
    return true;
  });
  EXPECT_EQ(steps, 5);
  EXPECT_EQ(images.base.sizes(), torch::IntArrayRef({1, 3, 8, 8}));
  EXPECT_EQ(images.upsampled.sizes(), torch::IntArrayRef({1, 3, 16, 16}));
}

TEST_F(GLIDEFolder, TheBaseModelAloneIsTheCascadesFirstStage) {
  const auto model = load();
  auto request = short_request();
  const auto both = generate(model, resolve(model, request));
  request.upsamples = false;
  const auto base = generate(model, resolve(model, request));
  EXPECT_FALSE(base.upsampled.defined());
  EXPECT_TRUE(torch::equal(base.result(), both.base));
}

TEST_F(GLIDEFolder, ASeedMeansOneImageInAnyBatch) {
  const auto model = load();
  const auto two = generate(model, resolve(model, short_request(5, 2))).result();
  const auto second = generate(model, resolve(model, short_request(6))).result();
  EXPECT_LE((two[1] - second[0]).abs().max().item<double>(), 1e-5);  // float32 sums over another batch
}

TEST_F(GLIDEFolder, DefaultsAreTheReleasedRespacings) {
  const auto model = load();
  const auto job = resolve(model, {.prompt = "a cat"});
  EXPECT_EQ(job.base.sampler.name, "ddpm");
  EXPECT_EQ(job.base.steps.size(), 100U);
  EXPECT_EQ(job.base.options.variance_type, "learned_range");
  EXPECT_EQ(job.upsample->sampler.name, "ddim");
  EXPECT_EQ(job.upsample->steps.size(), 27U);
  EXPECT_EQ(job.request.upsample.chain.respacing, "fast27");
}

TEST_F(GLIDEFolder, ADenoiserLetsGradientsThrough) {
  const auto model = load();
  const auto request = short_request();
  const auto denoise = glide_denoiser(model, model.base, {}, request, 3);
  const auto x = torch::randn({1, 3, 8, 8}).requires_grad_();
  const auto level = model.base.schedule.level_at(500);
  denoise(x, {level, 0, 0}).eps.square().sum().backward();
  EXPECT_GT(x.grad().abs().max().item<double>(), 0);
}

TEST_F(GLIDEFolder, InpaintingKeepsWhatIsKnown) {
  make_inpainting();
  const auto model = load();
  const auto image = torch::randn({1, 3, 16, 16}).clamp(-1, 1);
  auto mask = torch::zeros({1, 1, 16, 16});
  mask.slice(2, 4, 9).slice(3, 6, 12).fill_(1);
  const auto images = inpaint(model, resolve(model, short_request()), {.image = image, .mask = mask});
  // A pixel of the base model covers two of the image's on each side: rows 4 to 9, columns 6 to 11.
  auto anew = torch::zeros({1, 1, 16, 16}, torch::kBool);
  anew.slice(2, 4, 10).slice(3, 6, 12).fill_(true);
  const auto change = (images.result() - image).abs();
  EXPECT_LE(change.masked_select(anew.logical_not()).max().item<double>(), 1e-6);
  EXPECT_GT(change.masked_select(anew).max().item<double>(), 1e-2);
}

TEST_F(GLIDEFolder, InpaintingRefusesWhatDoesNotFit) {
  const auto plain = load();
  const auto job = resolve(plain, short_request());
  const auto message = [](const GLIDE& model, const GLIDEJob& job, const GLIDEMaskedImage& masked) -> std::string {
    try {
      inpaint(model, job, masked);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  const GLIDEMaskedImage masked{.image = torch::zeros({1, 3, 16, 16}), .mask = torch::ones({1, 1, 12, 16})};
  EXPECT_NE(message(plain, job, masked).find("3 input channels, expected 7"), std::string::npos);
  make_inpainting();
  const auto model = load();
  EXPECT_EQ(message(model, resolve(model, short_request()), masked),
            "the mask is 16x12, expected the image's size, 16x16");
  EXPECT_THROW(generate(model, resolve(model, short_request())), std::invalid_argument);
}

TEST_F(GLIDEFolder, RefusesStagesThatDoNotFitOneAnother) {
  write_index({{"upscale_low_res_size", 4}});
  EXPECT_NE(refusal().find("enlarges x of 4 a side, but the base model makes 8"), std::string::npos) << refusal();
  write_index();
  write_stage("upscale_unet", "upscale_text_encoder", 20, 6);
  EXPECT_NE(refusal().find("upscale_unet: unexpected 'sample_size'"), std::string::npos) << refusal();
  write_stage("upscale_unet", "upscale_text_encoder", 16, 3);
  EXPECT_NE(refusal().find("upscale_unet: unexpected 'in_channels': expected 6, or 10"), std::string::npos)
      << refusal();
  write_stage("upscale_unet", "upscale_text_encoder", 16, 10);
  EXPECT_NE(refusal().find("no inpainting model"), std::string::npos) << refusal();
}

TEST_F(GLIDEFolder, RefusesATextTransformerOfAnotherWidthOrLength) {
  auto text = kText;
  text["hidden_size"] = 8;
  write_network<GLIDETextModelImpl>("text_encoder", text, "model");
  EXPECT_NE(refusal().find("the width of text_encoder, 8"), std::string::npos) << refusal();
  text = kText;
  text["max_position_embeddings"] = 4;
  write_network<GLIDETextModelImpl>("text_encoder", text, "model");
  EXPECT_NE(refusal().find("model_max_length is 8, but text_encoder has positions for 4"), std::string::npos)
      << refusal();
  text["num_attention_heads"] = 3;
  write_json(folder_ / "text_encoder" / "config.json", text);
  EXPECT_NE(refusal().find("text_encoder: GLIDETextModel: 'num_attention_heads' is 3"), std::string::npos) << refusal();
}

TEST_F(GLIDEFolder, ResolveRefusesValuesOutOfRange) {
  const auto model = load();
  const auto message = [&](const GLIDERequest& request) -> std::string {
    try {
      resolve(model, request);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({.prompt = "x", .batch_count = 0}), "batch count is 0, expected 1 to 1000");
  EXPECT_EQ(message({.prompt = "x", .base = {.guidance_scale = 0.5}}), "guidance scale is 0.5, expected 1 or more");
  EXPECT_EQ(message({.prompt = "x", .upsample_temp = 0}), "upsample temp is 0, expected more than 0");
  EXPECT_NE(message({.prompt = "x", .base = {.chain = {.respacing = "ddim999"}}}).find("no whole stride"),
            std::string::npos);
}

}  // namespace
}  // namespace sfumato
