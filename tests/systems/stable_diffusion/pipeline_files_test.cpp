#include "systems/stable_diffusion/pipeline_files.h"

#include <gtest/gtest.h>

#include <fstream>

#include "checkpoints/safetensors.h"
#include "core/random.h"
#include "models/original_layout.h"
#include "systems/stable_diffusion/stable_diffusion.h"

namespace sfumato {
namespace {

template <class Impl>
PipelineFiles::Network random_network(const typename Impl::Config& config, const nlohmann::ordered_json& json) {
  Impl network(config);
  PipelineFiles::Network files{.config = json, .weights = {}};
  std::uint64_t seed = 0;
  for (const auto& item : network.named_parameters())
    files.weights[item.key()] = 0.02 * torch::randn(item.value().sizes(), seeded_generator(++seed));
  return files;
}

UNet2DConditionModelConfig small_xl_unet() {
  return UNet2DConditionModelConfig::from_json({{"block_out_channels", {64, 128}},
                                                {"down_block_types", {"DownBlock2D", "CrossAttnDownBlock2D"}},
                                                {"up_block_types", {"CrossAttnUpBlock2D", "UpBlock2D"}},
                                                {"layers_per_block", 2},
                                                {"cross_attention_dim", 192},
                                                {"attention_head_dim", {1, 2}},
                                                {"use_linear_projection", true},
                                                {"addition_embed_type", "text_time"},
                                                {"addition_time_embed_dim", 256},
                                                {"projection_class_embeddings_input_dim", 128 + 6 * 256}});
}

CLIPTextModelConfig small_text(std::int64_t width, const std::string& activation) {
  return {.vocab_size = 49408,
          .hidden_size = width,
          .intermediate_size = 64,
          .projection_dim = width,
          .num_hidden_layers = 2,
          .num_attention_heads = width / 64,
          .hidden_act = activation};
}

/// Returns a small Stable Diffusion XL with the scheduler's `said` keys.
PipelineFiles small_xl(const nlohmann::ordered_json& said, const UNet2DConditionModelConfig& unet = small_xl_unet()) {
  AutoencoderKLConfig vae;
  vae.block_out_channels = {32, 32};
  vae.scaling_factor = 0.13025;
  const auto first = small_text(64, "quick_gelu"), second = small_text(128, "gelu");
  PipelineFiles files;
  files.networks["unet"] = random_network<UNet2DConditionModelImpl>(unet, unet.to_json());
  files.networks["vae"] = random_network<AutoencoderKLImpl>(vae, vae.to_json());
  files.networks["text_encoder"] = random_network<CLIPTextModelImpl>(first, first.to_json());
  files.networks["text_encoder_2"] =
      random_network<CLIPTextModelWithProjectionImpl>(second, second.to_json("CLIPTextModelWithProjection"));
  files.scheduler = {{"_class_name", "EulerDiscreteScheduler"},
                     {"beta_start", 0.00085},
                     {"beta_end", 0.012},
                     {"beta_schedule", "scaled_linear"}};
  files.scheduler.update(said);
  return files;
}

class XlSingleFile : public testing::Test {
 protected:
  std::filesystem::path path_ = std::filesystem::path(testing::TempDir()) / "sfumato-xl-single-file.safetensors";
  std::vector<std::filesystem::path> tokenizers_{std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer"};

  void write(const nlohmann::ordered_json& said) { write_single_file(small_xl(said), path_, {}); }
  bool has(const std::string& key) const { return SafetensorsFile(path_).contains(key); }
  ScheduleConfig loaded() const { return load_stable_diffusion(path_, {}, tokenizers_).schedule.config(); }
  Json converted() const { return read_pipeline_files(path_, tokenizers_).scheduler; }

  void TearDown() override { std::filesystem::remove(path_); }
};

TEST_F(XlSingleFile, PredictsEpsUnlessItSaysOtherwise) {
  write({{"prediction_type", "epsilon"}});
  EXPECT_FALSE(has("v_pred"));
  EXPECT_FALSE(has("ztsnr"));
  EXPECT_EQ(loaded().prediction_type, "epsilon");
  EXPECT_FALSE(loaded().rescale_betas_zero_snr);
  EXPECT_EQ(converted().at("prediction_type"), "epsilon");
}

TEST_F(XlSingleFile, WithTheKeyVPredPredictsV) {
  write({{"prediction_type", "v_prediction"}});
  EXPECT_TRUE(has("v_pred"));
  EXPECT_FALSE(has("ztsnr"));
  EXPECT_EQ(loaded().prediction_type, "v_prediction");
  EXPECT_FALSE(loaded().rescale_betas_zero_snr);
  EXPECT_EQ(loaded().timestep_spacing, "leading");
}

TEST_F(XlSingleFile, WithTheKeyZtsnrTooStartsFromPureNoise) {
  write({{"prediction_type", "v_prediction"}, {"rescale_betas_zero_snr", true}});
  EXPECT_TRUE(has("v_pred"));
  EXPECT_TRUE(has("ztsnr"));
  EXPECT_EQ(loaded().prediction_type, "v_prediction");
  EXPECT_TRUE(loaded().rescale_betas_zero_snr);
  EXPECT_EQ(loaded().timestep_spacing, "trailing");
  const auto scheduler = ScheduleConfig::from_json(converted());
  EXPECT_EQ(scheduler.to_json(), loaded().to_json()) << "as the folder that convert makes of it";
}

TEST_F(XlSingleFile, KeepsDepthsOfLayersAndAMiddleThatIsMissing) {
  auto unet = small_xl_unet();
  unet.layers_per_block = {1, 2};
  unet.transformer_layers_per_block = {{1}, {1, 2}};
  unet.reverse_transformer_layers_per_block = {{2, 1, 3}, {1}};
  unet.mid_block_type = "";
  unet.sample_size = {128};
  write_single_file(small_xl({{"timestep_spacing", "leading"}, {"steps_offset", 1}}, unet), path_,
                    {.dtype = {}, .warn = [](const std::string& warning) { ADD_FAILURE() << warning; }});
  auto expected = unet.to_json(), read = load_stable_diffusion(path_, {}, tokenizers_).unet->config().to_json();
  EXPECT_EQ(read, expected);
}

TEST_F(XlSingleFile, ThatWouldMakeOtherImagesIsNotWritten) {
  const auto refusal = [&](const nlohmann::ordered_json& said, const UNet2DConditionModelConfig& unet) -> std::string {
    std::filesystem::remove(path_);
    try {
      write_single_file(small_xl(said, unet), path_, {});
    } catch (const std::invalid_argument& error) {
      EXPECT_FALSE(std::filesystem::exists(path_));
      return error.what();
    }
    return "written";
  };
  const auto none = nlohmann::ordered_json::object();
  auto distilled = small_xl_unet();
  distilled.time_cond_proj_dim = 12;
  EXPECT_NE(refusal(none, distilled).find("'time_cond_proj_dim' 12 (a reader of the file assumes null)"),
            std::string::npos);
  auto classes = small_xl_unet();
  classes.num_class_embeds = 3;
  EXPECT_NE(refusal(none, classes).find("'num_class_embeds' 3"), std::string::npos);
  auto pooled = small_xl_unet();
  pooled.addition_embed_type = "text";
  EXPECT_NE(refusal(none, pooled).find("'addition_embed_type' \"text\""), std::string::npos);
  EXPECT_NE(refusal({{"trained_betas", std::vector<double>(1000, 0.01)}}, small_xl_unet()).find("'trained_betas'"),
            std::string::npos);
  EXPECT_NE(refusal({{"rescale_betas_zero_snr", true}}, small_xl_unet()).find("'rescale_betas_zero_snr' true"),
            std::string::npos);
  EXPECT_EQ(refusal(none, small_xl_unet()), "written");
}

/// Returns a small model with Playground 2.5's scheduler and scale of latents.
PipelineFiles small_playground(const nlohmann::ordered_json& said = nlohmann::ordered_json::object()) {
  auto files = small_xl(nlohmann::ordered_json::object());
  files.scheduler = {{"_class_name", "EDMDPMSolverMultistepScheduler"}};
  files.scheduler.update(said);
  auto& vae = files.networks.at("vae").config;
  vae["scaling_factor"] = 0.5;
  vae["latents_mean"] = {-1.5, 2, -1.25, 2.5};
  vae["latents_std"] = {8.5, 6, 6.5, 5.25};
  return files;
}

TEST_F(XlSingleFile, OfPlaygroundHasItsSchedulerAndTheScaleOfItsLatents) {
  const auto files = small_playground();
  write_single_file(files, path_, {});
  const auto model = load_stable_diffusion(path_, {}, tokenizers_);
  EXPECT_EQ(model.schedule.config().to_json(), ScheduleConfig::from_json(files.scheduler).to_json());
  EXPECT_EQ(model.vae->config().scaling_factor, 0.5);
  EXPECT_EQ(model.vae->config().latents_mean, (std::vector<double>{-1.5, 2, -1.25, 2.5}));
  EXPECT_EQ(model.vae->config().latents_std, (std::vector<double>{8.5, 6, 6.5, 5.25}));
  EXPECT_TRUE(model.warnings.empty());
  const auto folder = read_pipeline_files(path_, tokenizers_);
  EXPECT_EQ(folder.index.at("scheduler"), nlohmann::ordered_json({"diffusers", "EDMDPMSolverMultistepScheduler"}));
  EXPECT_EQ(ScheduleConfig::from_json(folder.scheduler).to_json(), model.schedule.config().to_json());
  EXPECT_EQ(folder.networks.at("vae").config.at("latents_std"), files.networks.at("vae").config.at("latents_std"));
  EXPECT_THROW(write_single_file(small_playground({{"sigma_data", 1.0}}), path_, {}), std::invalid_argument);
}

TEST_F(XlSingleFile, OfPlaygroundTakesNoBetas) {
  write_single_file(small_playground(), path_, {});
  auto yaml = path_;
  yaml.replace_extension(".yaml");
  std::ofstream(yaml) << "model:\n  params:\n    linear_start: 0.1\n";
  EXPECT_THROW(load_stable_diffusion(path_, {}, tokenizers_), std::runtime_error);
  std::filesystem::remove(yaml);
}

TEST_F(XlSingleFile, OfAnotherFormOfEdmIsRefusedByItsKey) {
  const auto one = torch::ones({1});
  for (const std::string key : {"edm_mean", "edm_std", "edm_vpred.sigma_max"}) {
    write_safetensors(path_, {{"model.diffusion_model.x", one}, {"first_stage_model.x", one}, {key, one}});
    try {
      loaded();
      FAIL() << "it was read";
    } catch (const std::runtime_error& error) {
      EXPECT_NE(std::string(error.what()).find(key), std::string::npos) << error.what();
    }
  }
}

TEST(PipelineFolder, LeavesNothingWhereAStopIsRequestedBetweenTwoNetworks) {
  const auto top = std::filesystem::path(testing::TempDir()) / "sfumato-stopped";
  std::filesystem::remove_all(top);
  int asked = 0;
  const ConversionOptions options{.dtype = std::nullopt, .stop_requested = [&] { return ++asked == 3; }};
  EXPECT_FALSE(write_pipeline_folder(small_xl(nlohmann::ordered_json::object()), top / "model", options));
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(std::filesystem::is_empty(top)) << "neither the folder nor what was written beside it";
  EXPECT_FALSE(write_single_file(small_xl(nlohmann::ordered_json::object()), top / "model.safetensors",
                                 {.dtype = std::nullopt, .stop_requested = [] { return true; }}));
  EXPECT_TRUE(std::filesystem::is_empty(top));
  std::filesystem::remove_all(top);
}

}  // namespace
}  // namespace sfumato
