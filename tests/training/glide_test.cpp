#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>

#include "checkpoints/load.h"
#include "checkpoints/save.h"
#include "core/random.h"
#include "nn/init.h"
#include "training/captioned_runs.h"
#include "training/kinds/glide/glide_task.h"
#include "training/kinds/glide/low_resolution.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

Json glide_recipe() {
  return {{"kind", "glide"},
          {"seed", 3},
          {"steps", 4},
          {"batch_size", 4},
          {"data", {{"pack", "colours.pack"}, {"image_size", 8}, {"caption_dropout", 0.2}}},
          {"tokenizer", "tokenizer"},
          {"unet",
           {{"sample_size", 8},
            {"in_channels", 3},
            {"out_channels", 6},
            {"block_out_channels", {16, 16}},
            {"norm_num_groups", 4},
            {"layers_per_block", 1},
            {"down_block_types", {"ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"}},
            {"up_block_types", {"SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"}},
            {"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"},
            {"attention_head_dim", 8},
            {"cross_attention_dim", 16},
            {"class_embed_type", "simple_projection"},
            {"projection_class_embeddings_input_dim", 16},
            {"resnet_time_scale_shift", "scale_shift"}}},
          {"text_encoder",
           {{"vocab_size", 4},
            {"hidden_size", 16},
            {"intermediate_size", 32},
            {"num_hidden_layers", 1},
            {"num_attention_heads", 2},
            {"max_position_embeddings", 3}}},
          {"scheduler",
           {{"_class_name", "DDPMScheduler"},
            {"num_train_timesteps", 20},
            {"beta_schedule", "squaredcos_cap_v2"},
            {"variance_type", "learned_range"}}},
          {"sample", {{"count", 2}, {"steps", 2}}},
          {"log_every", 1},
          {"sample_every", 2},
          {"checkpoint_every", 2}};
}

const std::vector<std::string> kInpaint = {"inpaint=true", "unet.in_channels=7"};
const std::vector<std::string> kUpsampler = {"kind=glide_upsampler", "low_res_size=4", "unet.in_channels=6"};

Json upsampler_recipe() {
  auto recipe = changed(glide_recipe(), kUpsampler);
  recipe.erase("tokenizer");
  return recipe;
}

/// 12 images, dark with the caption of id 2 and bright with that of id 3.
class GLIDETraining : public CaptionedRuns {
 protected:
  void SetUp() override {
    const auto bright = torch::arange(12).remainder(2);
    write_files({.values = 96 + 64 * bright,
                 .tokens = 2 + bright,
                 .probes = 2 + torch::arange(16).remainder(2),
                 .held_out = 2});
  }
};

TEST_F(GLIDETraining, TheTextTransformerIsTrainedJointly) {
  const auto task = this->task(glide_recipe());
  auto& objective = dynamic_cast<GLIDEObjective&>(task->objective());
  {
    const torch::NoGradGuard no_grad;  // the first prediction is 0, through which no gradient reaches anything else
    objective.unet->conv_out->weight.normal_();
  }
  objective.loss(task->loader().batch(0)).backward();
  for (const auto& [name, tensor] : objective.tensors().optimized) {
    ASSERT_TRUE(tensor.grad().defined()) << name;
    EXPECT_GT(tensor.grad().abs().sum().item<double>(), 0) << name;
  }
}

TEST_F(GLIDETraining, TheMaskEndsWithTheCaption) {
  const auto batch = task(changed(glide_recipe(), {"data.caption_dropout=0"}))->loader().batch(0);
  const auto expected = torch::tensor({true, true, false}).expand({4, 3});
  EXPECT_TRUE(torch::equal(batch.at("mask"), expected));
  const auto dropped = task(changed(glide_recipe(), {"data.caption_dropout=1"}))->loader().batch(0);
  EXPECT_TRUE(torch::equal(dropped.at("mask"), torch::tensor({true, false, false}).expand({4, 3})));
}

TEST_F(GLIDETraining, AnUpsamplerReceivesTheImageAtLowResolution) {
  const auto batch = task(upsampler_recipe())->loader().batch(0);
  const auto &x0 = batch.at("x0"), &concat = batch.at("concat");
  EXPECT_EQ(concat.sizes(), x0.sizes());
  EXPECT_LE((concat - x0).abs().max().item<double>(), 1.01 / 127.5);  // images of one value, rounded to 8 bits
}

TEST_F(GLIDETraining, AnUpsamplersImagesAreDegradedInTrainingOnly) {
  const auto noisy = task(changed(upsampler_recipe(), {"data.low_res_noise=0.5"}));
  auto& loader = dynamic_cast<GLIDELoader&>(noisy->loader());
  const auto batch = loader.batch(0);
  EXPECT_GT((batch.at("concat") - batch.at("x0")).abs().max().item<double>(), 0.1);
  auto generator = generator_for(0, Stream::kSample, 0);
  const auto held_out = loader.held_out(torch::arange(4), generator);
  EXPECT_LE((held_out.at("concat") - held_out.at("x0")).abs().max().item<double>(), 1.01 / 127.5);
}

// A Gaussian of standard deviation s has the variance s^2 in each direction, which an impulse shows; noise of up to a
// standard deviation of a in [0, a] has a^2 / 3.
TEST(LowResolution, AugmentationHasTheRecipesBlurAndNoise) {
  auto generator = generator_for(1, Stream::kStep, 0);
  auto impulse = torch::zeros({64, 1, 31, 31});
  impulse.select(2, 15).select(2, 15).fill_(1);
  const auto blurred = augmented(impulse, {.blur_probability = 0.5, .blur_sigma = {1.5, 1.5}}, generator);
  const auto squares = (torch::arange(31) - 15).to(torch::kFloat32).square();
  const auto variances = (blurred.sum({1, 3}) * squares).sum(1);  // [64], of the rows
  EXPECT_LE((blurred.sum({1, 2, 3}) - 1).abs().max().item<double>(), 1e-5);
  const auto is_blurred = variances > 0.1;
  EXPECT_NEAR(is_blurred.to(torch::kFloat32).mean().item<double>(), 0.5, 0.2);
  EXPECT_NEAR(variances.index({is_blurred}).mean().item<double>(), 1.5 * 1.5, 0.02 * 1.5 * 1.5);
  const auto noisy = augmented(torch::zeros({400, 3, 8, 8}), {.noise = 0.6}, generator);
  EXPECT_NEAR(noisy.square().mean().item<double>(), 0.12, 0.012);
  const auto plain = torch::rand({2, 3, 8, 8});
  EXPECT_TRUE(torch::equal(augmented(plain, {}, generator), plain));
}

/// Writes a small random AutoencoderKL of 4 channels and half the side.
void write_vae(const fs::path& folder, std::uint64_t seed) {
  AutoencoderKLConfig config;
  config.block_out_channels = {8, 8};
  config.norm_num_groups = 4;
  config.latent_channels = 4;
  config.scaling_factor = 2;
  AutoencoderKL vae(config);
  initialize(*vae, seeded_generator(seed));
  std::map<std::string, torch::Tensor> weights;
  for (const auto& item : vae->named_parameters()) weights[item.key()] = item.value().detach();
  save_weights(weights, folder);
  write_json(folder / "config.json", config.to_json());
}

const std::vector<std::string> kLatents = {"unet.sample_size=4", "unet.in_channels=4", "unet.out_channels=8",
                                           "scheduler.clip_sample=false"};

TEST_F(GLIDETraining, AnUpsamplerInLatentsReceivesTheLatentsOfTheSmallImages) {
  write_vae(folder_ / "vae", 1);
  auto recipe = changed(upsampler_recipe(), kLatents);
  recipe["unet"]["in_channels"] = 8;
  recipe["vae"] = (folder_ / "vae").string();
  const auto batch = task(recipe)->loader().batch(0);
  const auto &x0 = batch.at("x0"), &concat = batch.at("concat");
  ASSERT_EQ(x0.sizes(), (std::vector<std::int64_t>{4, 4, 4, 4}));
  ASSERT_EQ(concat.sizes(), x0.sizes());
  // Of an image of one value, the small image is the same value: what the batch holds follows from x0's image alone.
  const torch::NoGradGuard no_grad;
  AutoencoderKL vae(from_pretrained<AutoencoderKLImpl>(folder_ / "vae", {torch::kCPU, torch::kFloat32}));
  const auto latents_of = [&](double value, std::int64_t side) {
    const auto image = torch::full({1, 3, side, side}, value / 127.5 - 1, torch::kFloat32);
    return vae->scale(vae->encode(image).mode()).to(torch::kFloat16).to(torch::kFloat32);
  };
  for (std::int64_t n = 0; n < 4; ++n) {
    const double dark = (x0[n] - latents_of(96, 8)[0]).abs().max().item<double>();
    const double value = dark < 1e-2 ? 96 : 160;
    EXPECT_LE((x0[n] - latents_of(value, 8)[0]).abs().max().item<double>(), 1e-2);  // float16
    const auto enlarged = torch::upsample_bilinear2d(latents_of(value, 4), {4, 4}, false);
    EXPECT_LE((concat[n] - enlarged[0]).abs().max().item<double>(), 1e-2);
  }
}

TEST_F(GLIDETraining, AnUpsamplerSharesTheAutoencoderOfItsBaseModel) {
  write_vae(folder_ / "vae", 1);
  write_vae(folder_ / "other", 2);
  auto base = changed(glide_recipe(), kLatents), upsampler = changed(upsampler_recipe(), kLatents);
  base["vae"] = (folder_ / "vae").string();
  upsampler["unet"]["in_channels"] = 8;
  upsampler["base"] = (folder_ / "base").string();
  train_run("run", base);
  export_run(RunFolder(folder_ / "run"), folder_ / "base", {});
  const auto refusal = [&](const Json& recipe) -> std::string {
    try {
      task(recipe);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  auto in_pixels = upsampler_recipe();
  in_pixels["base"] = upsampler["base"];
  EXPECT_NE(refusal(in_pixels).find("is one of latents: expected '"), std::string::npos) << refusal(in_pixels);
  for (const char* other : {"other", "vae"}) {  // the base model's run standardised its own copy
    upsampler["vae"] = (folder_ / other).string();
    EXPECT_NE(refusal(upsampler).find("which differs from the base model's"), std::string::npos) << refusal(upsampler);
  }
  upsampler["vae"] = (folder_ / "base" / "vae").string();
  train_run("upsampler", upsampler);
  export_run(RunFolder(folder_ / "upsampler"), folder_ / "both", {});
  EXPECT_TRUE(fs::exists(folder_ / "both" / "vae" / "config.json"));
  EXPECT_EQ(read_json(folder_ / "both" / "model_index.json").at("upscale_low_res_size"), 4);
  const auto inpaint = changed(upsampler, {"inpaint=true", "unet.in_channels=13"});
  EXPECT_EQ(task(inpaint)->loader().batch(0).at("concat").size(1), 9);
}

/// Counts how often a folder is packed; the pack is another file.
class FolderRuns : public GLIDETraining {
 protected:
  std::unique_ptr<Task> folder_task(const Json& recipe, bool can_pack = true) {
    TaskContext context{.run = RunFolder(folder_ / "run")};
    if (can_pack)
      context.pack_folder = [this](const FolderPacking& packing) {
        ++packed_;
        fs::copy_file(folder_ / "colours.pack", packing.pack, fs::copy_options::overwrite_existing);
      };
    return make_task(*parse_job(recipe, "r.json"), context);
  }

  Json recipe_of(const std::string& folder) {
    fs::create_directories(folder_ / folder);
    fs::create_directories(folder_ / "run");
    auto recipe = glide_recipe();
    recipe["data"].erase("pack");
    recipe["data"]["folder"] = (folder_ / folder).string();
    return recipe;
  }

  int packed_ = 0;
};

TEST_F(FolderRuns, PackTheirFolderOnce) {
  const auto recipe = recipe_of("photos");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(folder_task(recipe)->loader().batch(0).at("x0").size(0), 4);
  EXPECT_EQ(packed_, 1);
  write_json(folder_ / "photos" / "new.json", Json());  // another file of the folder
  folder_task(recipe);
  EXPECT_EQ(packed_, 2);
  folder_task(recipe_of("others"));
  EXPECT_EQ(packed_, 3);
}

TEST_F(FolderRuns, RefuseWhatTheyCannotPack) {
  try {
    folder_task(recipe_of("photos"), /*can_pack=*/false);
    FAIL() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("compose --folder"), std::string::npos) << error.what();
  }
  auto recipe = recipe_of("photos");
  recipe["tokenizer"] = "";
  EXPECT_THROW(folder_task(recipe), std::invalid_argument);
  recipe = recipe_of("photos");
  recipe["data"]["folder"] = "nowhere";
  EXPECT_THROW(folder_task(recipe), std::runtime_error);
}

TEST_F(FolderRuns, ResumeWithTheSameFolderAlone) {
  const auto begun = parse_job(recipe_of("photos"), "r.json"), other = parse_job(recipe_of("others"), "r.json"),
             pack = parse_job(glide_recipe(), "r.json");
  EXPECT_TRUE(check_continues(*begun, *begun, "r.json").empty());
  EXPECT_THROW(check_continues(*other, *begun, "r.json"), std::invalid_argument);
  EXPECT_THROW(check_continues(*pack, *begun, "r.json"), std::invalid_argument);
}

TEST_F(GLIDETraining, AnUpsamplersExportContainsItsBaseModel) {
  train_run("base", glide_recipe());
  write_json(folder_ / "base" / "things.json", Json::object());
  export_run(RunFolder(folder_ / "base"), folder_ / "base_export", {});
  train_run("upsampler", changed(upsampler_recipe(), {"base=" + (folder_ / "base_export").string()}));
  export_run(RunFolder(folder_ / "upsampler"), folder_ / "new" / "export", {});
  for (const auto* name : {"text_unet/config.json", "tokenizer/tokenizer_config.json", "upscale_unet/config.json",
                           "upscale_noise_scheduler/scheduler_config.json", "things.json"})
    EXPECT_TRUE(fs::exists(folder_ / "new" / "export" / name)) << name;
  const auto index = read_json(folder_ / "new" / "export" / "model_index.json");
  EXPECT_TRUE(index.contains("text_unet") && index.contains("upscale_unet")) << index;
}

TEST_F(GLIDETraining, InpaintingReceivesTheKnownPartAndItsMask) {
  const auto batch = task(changed(glide_recipe(), kInpaint))->loader().batch(0);
  const auto& concat = batch.at("concat");
  const auto mask = concat.narrow(1, 3, 1);
  EXPECT_TRUE(torch::equal(concat.narrow(1, 0, 3), batch.at("x0") * mask));
  EXPECT_TRUE(mask.eq(0).logical_or(mask.eq(1)).all().item<bool>());
}

TEST_F(GLIDETraining, AnInpaintingModelStartsAsItsBaseModel) {
  train_run("base", glide_recipe());
  export_run(RunFolder(folder_ / "base"), folder_ / "export", {});
  const auto task = this->task(changed(glide_recipe(), kInpaint));
  task->init_from(folder_ / "export");
  const auto base = this->task(glide_recipe());
  base->init_from(folder_ / "export");
  const auto batch = task->loader().batch(0);
  auto& wide = dynamic_cast<GLIDEObjective&>(task->objective());
  auto& narrow = dynamic_cast<GLIDEObjective&>(base->objective());
  const auto& x0 = batch.at("x0");
  const auto states = narrow.text_encoder->forward(batch.at("ids"), batch.at("mask"));
  const auto with_mask = wide.raw_output(x0, batch.at("t"), states, batch.at("concat"));
  EXPECT_LE((with_mask - narrow.raw_output(x0, batch.at("t"), states, {})).abs().max().item<double>(), 1e-5);
}

TEST_F(GLIDETraining, ARunThatStoppedResumesToTheSameWeights) {
  const auto with_dropout = changed(glide_recipe(), {"unet.dropout=0.5"});
  for (const auto& recipe : {changed(glide_recipe(), kInpaint), upsampler_recipe(), with_dropout})
    expect_resumed_to_the_same(recipe);
}

/// The share of a grid's images, dark and bright in turn, that are on their side of grey.
double agreement_of(const torch::Tensor& grid) {
  const auto means = grid.to(torch::kFloat64).unflatten(0, {4, 8}).unflatten(2, {4, 8}).mean({1, 3, 4}).flatten();
  const auto bright = torch::arange(means.size(0)).remainder(2) == 1;
  return ((means > 128) == bright).to(torch::kFloat64).mean().item<double>();
}

// A caption names a brightness, which noise hides at many timesteps: there only the text decides. With a broken path
// of the text half of the images would agree with theirs.
TEST_F(GLIDETraining, GuidanceMakesImagesFollowTheirCaptions) {
  const auto recipe = changed(
      glide_recipe(), {"steps=450", "batch_size=16", "optimizer.lr=0.004", "schedule.warmup_steps=10", "ema_decay=0.95",
                       "sample_every=450", "checkpoint_every=450", "scheduler.beta_schedule=linear",
                       "scheduler.beta_start=0.01", "scheduler.beta_end=0.4", "log_every=450"});
  train_run("run", recipe);
  export_run(RunFolder(folder_ / "run"), folder_ / "export", {});
  const auto agreement = [&](const std::string& scale) {
    const auto task =
        this->task(changed(recipe, {"sample.count=16", "sample.steps=20", "sample.guidance_scale=" + scale}));
    task->init_from(folder_ / "export");
    return agreement_of(task->sample_grid());
  };
  const double plain = agreement("1"), guided = agreement("3");
  std::printf("images that agree with their captions: %.2f at guidance 1, %.2f at 3\n", plain, guided);
  EXPECT_GT(guided, plain);
  EXPECT_GE(guided, 0.9);
}

TEST(GLIDERecipe, RefusesWhatDoesNotFit) {
  EXPECT_EQ(refusal_of(glide_recipe()), "");
  EXPECT_EQ(refusal_of(changed(glide_recipe(), kInpaint)), "");
  EXPECT_EQ(refusal_of(upsampler_recipe()), "");
  const auto expect_refused = [](const Json& recipe, const std::string& setting, const std::string& message) {
    const auto refusal = refusal_of(changed(recipe, {setting}));
    EXPECT_NE(refusal.find(message), std::string::npos) << setting << ": " << refusal;
  };
  const auto base = glide_recipe();
  expect_refused(base, "inpaint=true", "'in_channels' is 3; expected 7: x, the masked image, its mask");
  expect_refused(base, "unet.out_channels=3", "an even number");
  expect_refused(base, "unet.sample_size=16", "expected 8, the side of the images");
  expect_refused(base, "unet.class_embed_type=timestep", "expected simple_projection");
  expect_refused(base, "unet.cross_attention_dim=8", "the text encoder's 'hidden_size', 16");
  expect_refused(base, "text_encoder.num_heads=2", "num_heads");
  expect_refused(base, "scheduler.variance_type=fixed_small", "expected learned_range");
  expect_refused(base, "scheduler.prediction_type=v_prediction", "expected epsilon");
  expect_refused(base, "loss.vlb_weight=0", "'vlb_weight' must be positive");
  expect_refused(base, "data.caption_dropout=2", "caption_dropout");
  expect_refused(base, "low_res_size=4", "low_res_size");
  expect_refused(base, "vae=folder", "'clip_sample' is true");
  expect_refused(upsampler_recipe(), "low_res_size=3", "low_res_size is 3; expected a divisor");
  expect_refused(base, "data.low_res_noise=0.1", "low_res_noise");
  expect_refused(upsampler_recipe(), "data.low_res_noise=2", "low_res_noise");
  expect_refused(upsampler_recipe(), "data.low_res_blur.sigma=[0.6, 0.4]", "'sigma' must be two increasing numbers");
  expect_refused(upsampler_recipe(), "data.low_res_blur.probability=2", "probability");
  expect_refused(upsampler_recipe(), "data.low_res_blur.size=3", "size");
  expect_refused(upsampler_recipe(), "low_res_size=8", "low_res_size is 8");
  expect_refused(upsampler_recipe(), "vae=folder", "'clip_sample' is true");
  expect_refused(changed(upsampler_recipe(), {"vae=folder", "scheduler.clip_sample=false"}),
                 "data.low_res_blur={\"probability\": 0.5}", "'low_res_blur' in latents");
  expect_refused(base, "data.folder=photos", "'pack' and 'folder': expected one of them");
  expect_refused(base, "data.pack=[]", "'pack' must name packed training files");
  expect_refused(base, "data.pack=[3]", "a file or folder, or a list of them");
}

}  // namespace
}  // namespace sfumato
