#include <gtest/gtest.h>

#include <fstream>

#include "training/kinds.h"
#include "training/kinds/vae/vae_recipe.h"

namespace sfumato {
namespace {

Json smallest() {
  return {{"kind", "vae"}, {"data", {{"pack", "p.safetensors"}}}};
}

std::string refusal(const Json& json) {
  try {
    parse_job(json, "r.json");
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Recipe, AnUnknownKeyIsRefusedWithTheNearestOne) {
  auto json = smallest();
  json["batchsize"] = 8;
  EXPECT_NE(refusal(json).find("unknown key 'batchsize'; did you mean 'batch_size'?"), std::string::npos);
}

TEST(Recipe, AnUnknownKeyOfAPartNamesThePart) {
  auto json = smallest();
  json["optimizer"] = {{"learning", 1}};
  EXPECT_NE(refusal(json).find("r.json: optimizer: unknown key 'learning'"), std::string::npos);
}

TEST(Recipe, AnUnknownKindIsRefusedByName) {
  EXPECT_NE(refusal({{"kind", "gan"}, {"data", {{"pack", "p"}}}}).find("'gan'"), std::string::npos);
}

TEST(Recipe, ValuesOutOfRangeAreRefused) {
  for (const auto* setting : {"steps=0", "batch_size=-1", "optimizer.lr=0", "optimizer.betas=[0.9]", "precision=fp8",
                              "data.crop_size=999", "log_every=0"}) {
    auto json = smallest();
    apply_setting(json, setting);
    EXPECT_NE(refusal(json), "") << setting;
  }
}

TEST(Recipe, AValueOfAnotherTypeIsRefusedWithItsKey) {
  auto json = smallest();
  json["steps"] = "many";
  EXPECT_NE(refusal(json).find("'steps'"), std::string::npos);
}

TEST(Recipe, AKeyOfAnotherKindIsRefused) {
  for (const auto* setting : {"data.caption_dropout=0.1", "loss.min_snr_gamma=5", "sample.steps=20", "unet={}"}) {
    auto json = smallest();
    apply_setting(json, setting);
    EXPECT_NE(refusal(json).find("unknown key"), std::string::npos) << setting;
  }
}

TEST(Recipe, AMissingPackIsRefused) {
  EXPECT_NE(refusal({{"kind", "vae"}}).find("'pack'"), std::string::npos);
}

TEST(Recipe, SettingsReachDottedPathsAndTakeJsonOrText) {
  auto json = smallest();
  apply_setting(json, "optimizer.lr=0.5");
  apply_setting(json, "data.pack=folder/x.safetensors");
  const auto recipe = parse_vae_recipe(json, "r.json");
  EXPECT_EQ(recipe.optimizer.lr, 0.5);
  EXPECT_EQ(pack_places(recipe.data), (Json{{"pack", "folder/x.safetensors"}}));
  EXPECT_EQ(recipe.data.packs, std::vector<std::filesystem::path>{"folder/x.safetensors"});
}

TEST(Recipe, ASettingWithoutAValueOrInsideANumberIsRefused) {
  auto json = smallest();
  EXPECT_THROW(apply_setting(json, "seed"), std::invalid_argument);
  json["seed"] = 1;
  EXPECT_THROW(apply_setting(json, "seed.x=1"), std::invalid_argument);
}

TEST(Recipe, EveryRecipeThatShipsIsValid) {
  for (const auto& entry : std::filesystem::directory_iterator(SFUMATO_SOURCE_DIR "/configs")) {
    if (entry.path().extension() != ".json") continue;
    EXPECT_NO_THROW(parse_job(read_json(entry.path()), entry.path().string())->check()) << entry.path();
  }
}

TEST(Recipe, ANumberOutOfRangeIsNamedWithItsRange) {
  for (const auto& [setting, says] : std::vector<std::pair<std::string, std::string>>{
           {"steps=0", "r.json: 'steps' is 0, expected 1 or more"},
           {"batch_size=-4", "r.json: 'batch_size' is -4, expected 1 or more"},
           {"log_every=0", "r.json: 'log_every' is 0, expected 1 or more"},
           {"ema_decay=1.5", "r.json: 'ema_decay' is 1.5, expected 0 to 1"},
           {"clip_grad_norm=-1", "r.json: 'clip_grad_norm' is -1, expected 0 or more"},
           {"schedule.warmup_steps=-1", "r.json: schedule: 'warmup_steps' is -1, expected 0 or more"},
           {"schedule.final_lr=-0.5", "r.json: schedule: 'final_lr' is -0.5, expected 0 to 1"},
           {"schedule.final_lr=2", "r.json: schedule: 'final_lr' is 2, expected 0 to 1"},
           {"loss.l2_weight=-1", "r.json: loss: 'l2_weight' is -1, expected 0 or more"},
           {"optimizer.weight_decay=-1", "r.json: optimizer: 'weight_decay' is -1, expected 0 or more"}}) {
    auto json = smallest();
    apply_setting(json, setting);
    EXPECT_EQ(refusal(json), says);
  }
}

/// The refusal of a recipe to go on with a run, or "" with its warnings in `warnings`.
std::string refusal_to_continue(const Json& recipe, const Json& begun, std::vector<std::string>& warnings) {
  try {
    warnings = check_continues(*parse_job(recipe, "r.json"), *parse_job(begun, "run/recipe.json"), "run/recipe.json");
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

TEST(Recipe, ARunGoesOnWithWhatDoesNotDefineIt) {
  std::vector<std::string> warnings;
  for (const auto* setting : {"steps=2000", "optimizer.lr=1e-5", "batch_size=4", "sample_every=7", "loss.kl_weight=0",
                              "seed=0", "data.image_size=128", "vae={\"norm_num_groups\": 32}"}) {
    auto json = smallest();
    apply_setting(json, setting);
    EXPECT_EQ(refusal_to_continue(json, smallest(), warnings), "") << setting;
    EXPECT_TRUE(warnings.empty()) << setting;
  }
}

TEST(Recipe, ARunDoesNotGoOnAsAnotherOne) {
  std::vector<std::string> warnings;
  for (const auto& [setting, begins] : std::vector<std::pair<std::string, std::string>>{
           {"seed=4", "'seed' is 4, and the run was begun with 0 (run/recipe.json): expected the same"},
           {"data.image_size=64", "'data.image_size' is 64, and the run was begun with 128"},
           {"vae.norm_num_groups=16", "'vae.norm_num_groups' is 16, and the run was begun with 32"},
           {"freeze_encoder=true", "'freeze_encoder' is true, and the run was begun with false"}}) {
    auto json = smallest();
    apply_setting(json, setting);
    const auto message = refusal_to_continue(json, smallest(), warnings);
    EXPECT_TRUE(message.starts_with(begins)) << message;
  }
  const Json classifier = {{"kind", "classifier"}, {"data", {{"pack", "p.safetensors"}}}};
  EXPECT_TRUE(refusal_to_continue(classifier, smallest(), warnings).starts_with("'kind' is \"classifier\"")) << "kind";
}

TEST(Recipe, AMovedPackIsAWarning) {
  std::vector<std::string> warnings;
  auto json = smallest();
  apply_setting(json, "data.pack=elsewhere.safetensors");
  EXPECT_EQ(refusal_to_continue(json, smallest(), warnings), "");
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0],
            "'data.pack' is \"elsewhere.safetensors\", and the run was begun with \"p.safetensors\": expected the same "
            "content at another place");
}

}  // namespace
}  // namespace sfumato
