#include <gtest/gtest.h>

#include <fstream>

#include "checkpoints/safetensors.h"
#include "models/autoencoder_kl.h"
#include "parity/compare.h"
#include "systems/stable_diffusion/generate.h"
#include "systems/stable_diffusion/pipeline_files.h"

namespace sfumato {
namespace {

// As single_file_reference.py asks for.
const Request kRequest{
    .prompt = "a cat on a sofa", .width = 64, .height = 64, .steps = 5, .guidance_scale = 5, .seed = 3};

class SingleFile : public ::testing::TestWithParam<std::string> {
 protected:
  std::filesystem::path file_ = parity_folder() / (GetParam() + ".safetensors");
  SafetensorsFile expected_{parity_folder() / (GetParam() + "-expected.safetensors")};

  static StableDiffusion load(const std::filesystem::path& path) {
    return load_stable_diffusion(path, {}, {std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer"});
  }
};

nlohmann::ordered_json config_of(const Autoencoder& vae) {
  return dynamic_cast<const AutoencoderKLImpl&>(vae).config().to_json();
}

TEST_P(SingleFile, HasTheConfigsThatDiffusersSavesForItsParts) {
  const auto file = load(file_), folder = load(parity_folder() / GetParam());
  EXPECT_EQ(file.unet->config().to_json(), folder.unet->config().to_json());
  EXPECT_EQ(config_of(*file.vae), config_of(*folder.vae));
  EXPECT_EQ(file.schedule.config().to_json(), folder.schedule.config().to_json());
  EXPECT_EQ(file.default_height(), folder.default_height());
}

TEST_P(SingleFile, EncodesThePromptAsDiffusersDoes) {
  const torch::NoGradGuard no_gradients;
  const auto model = load(file_);
  std::vector<torch::Tensor> states, others;
  for (const auto& encoder : model.text_encoders) {
    const auto ids = torch::tensor(encoder.tokenizer->encode(kRequest.prompt).ids, torch::kInt64).unsqueeze(0);
    states.push_back(encoder.encode(ids, 0).states);
    others.push_back(encoder.encode(ids.roll(1), 0).states);
  }
  EXPECT_LT(relative_error(torch::cat(states, -1), expected_.tensor("states")), kNetworkTolerance);
  EXPECT_GT(relative_error(torch::cat(others, -1), expected_.tensor("states")), 100 * kNetworkTolerance);
}

TEST_P(SingleFile, EveryStepAndTheImageAreThoseOfDiffusers) {
  std::size_t steps = 0;
  const OnStep compare = [&](int step, int, const torch::Tensor& x) {
    const auto key = "latents." + std::to_string(step);
    EXPECT_LT(relative_error(x, expected_.tensor(key)), kNetworkTolerance) << "after step " << step;
    return ++steps, true;
  };
  const auto generated = text_to_image(load(file_), kRequest, compare);
  EXPECT_EQ(expected_.names().size(), steps + 2) << "steps, the states and the picture";
  const auto image = expected_.tensor("image") * 2 - 1;
  EXPECT_LT((generated.images.clamp(-1, 1) - image).abs().max().item<float>(), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(, SingleFile, ::testing::Values("sd1", "sd2", "sdxl", "ssd", "playground"),
                         [](const auto& info) { return info.param; });

/// A file of a VAE alone, as they are passed around.
std::filesystem::path write_vae_file() {
  const std::string prefix = "first_stage_model.";
  const SafetensorsFile whole(parity_folder() / "sdxl.safetensors");
  std::map<std::string, torch::Tensor> tensors;
  for (const auto& name : whole.names())
    if (name.starts_with(prefix)) tensors[name.substr(prefix.size())] = whole.tensor(name);
  const auto path = std::filesystem::path(testing::TempDir()) / "vae.safetensors";
  write_safetensors(path, tensors);
  return path;
}

TEST(UseVae, EveryFormOfAnotherVaeDecodesAlike) {
  const torch::NoGradGuard no_gradients;
  const auto z = torch::randn({1, 4, 8, 8});
  const auto expected = load_stable_diffusion(parity_folder() / "sdxl", {}).vae->decode(z);  // [1, 3, 64, 64]
  auto model = load_stable_diffusion(parity_folder() / "sd1", {});
  EXPECT_GT(relative_error(model.vae->decode(z), expected), 0.01) << "its own";
  for (const auto& path : {parity_folder() / "sdxl" / "vae", parity_folder() / "sdxl",
                           parity_folder() / "sdxl" / "vae" / "diffusion_pytorch_model.safetensors",
                           parity_folder() / "sdxl.safetensors", write_vae_file()}) {
    model = load_stable_diffusion(parity_folder() / "sd1", {}, {}, {.path = path});
    EXPECT_LT(relative_error(model.vae->decode(z), expected), kLayerTolerance) << path;
  }
}

/// sd1.safetensors under another name, with a .yaml beside it.
std::filesystem::path with_yaml(const std::string& name, const std::string& text) {
  const auto path = std::filesystem::path(testing::TempDir()) / (name + ".safetensors");
  std::filesystem::copy_file(parity_folder() / "sd1.safetensors", path,
                             std::filesystem::copy_options::overwrite_existing);
  auto yaml = path;
  std::ofstream(yaml.replace_extension(".yaml")) << text;
  return path;
}

TEST(SingleFileYaml, SaysWhatNoKeyOfTheFileTells) {
  const std::vector<std::filesystem::path> tokenizers = {std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer"};
  const auto path = with_yaml("said",
                              "model:\n  params:\n    parameterization: \"v\"\n    linear_start: 0.001\n"
                              "    scale_factor: 0.5 # of the VAE\n");
  auto model = load_stable_diffusion(path, {}, tokenizers);
  EXPECT_EQ(model.schedule.config().prediction_type, "v_prediction");
  EXPECT_EQ(model.schedule.config().beta_start, 0.001);
  EXPECT_EQ(model.vae->config().scaling_factor, 0.5);
  EXPECT_EQ(read_pipeline_files(path, tokenizers).scheduler.at("prediction_type"), "v_prediction");
  use_prediction(model, "sample");
  EXPECT_EQ(model.schedule.config().prediction_type, "sample");
  EXPECT_THROW(use_prediction(model, "eps"), std::invalid_argument);
}

// Stable Diffusion 1 with v-prediction, as the folder of diffusers says it and as the file does not.
TEST(SingleFileYaml, MakesTheImagesOfTheFolderThatSaysIt) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "sd1-v";
  std::filesystem::remove_all(folder);
  std::filesystem::copy(parity_folder() / "sd1", folder, std::filesystem::copy_options::recursive);
  auto config = read_json(folder / "scheduler" / "scheduler_config.json");
  config["prediction_type"] = "v_prediction";
  write_json(folder / "scheduler" / "scheduler_config.json", config);
  const std::vector<std::filesystem::path> tokenizers = {std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer"};
  auto request = kRequest;
  request.sampler = "ddim";  // by default that of a file that predicts v, and not of the folder
  const auto expected = text_to_image(load_stable_diffusion(folder, {}), request).latents;
  const auto path = with_yaml("v", "model:\n  params:\n    parameterization: v\n");
  EXPECT_LT(relative_error(text_to_image(load_stable_diffusion(path, {}, tokenizers), request).latents, expected),
            kNetworkTolerance);
  auto told = load_stable_diffusion(parity_folder() / "sd1.safetensors", {}, tokenizers);
  EXPECT_GT(relative_error(text_to_image(told, request).latents, expected), 0.1) << "without being told";
  use_prediction(told, "v_prediction");
  EXPECT_LT(relative_error(text_to_image(told, request).latents, expected), kNetworkTolerance);
}

TEST(SingleFileRefusal, OtherFilesAreRefusedByWhatTheyAre) {
  const auto refusal = [](const std::map<std::string, torch::Tensor>& tensors) -> std::string {
    const auto path = std::filesystem::path(testing::TempDir()) / "other.safetensors";
    write_safetensors(path, tensors);
    try {
      load_stable_diffusion(path, {});
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  };
  const auto lora = refusal({{"lora_unet_mid_block.lora_down.weight", torch::ones({1})}});
  EXPECT_NE(lora.find("other.safetensors"), std::string::npos) << lora;
  EXPECT_NE(lora.find("expected a Stable Diffusion 1, 2 or XL checkpoint"), std::string::npos) << lora;
}

}  // namespace
}  // namespace sfumato
