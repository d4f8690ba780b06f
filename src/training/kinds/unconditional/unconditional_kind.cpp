#include "training/kinds/unconditional/unconditional_kind.h"

#include "diffusion/schedule_config.h"
#include "training/kinds/unconditional/unconditional_task.h"

namespace sfumato {
namespace {

using OrderedJson = nlohmann::ordered_json;

/// Returns the model_index.json of DDPMPipeline or DDIMPipeline (pixels, by the scheduler's class) or LDMPipeline.
OrderedJson unconditional_index(const UnconditionalRecipe& recipe, const std::string& scheduler) {
  const auto pixels = scheduler == "DDPMScheduler" ? "DDPMPipeline" : "DDIMPipeline";
  OrderedJson index{{"_class_name", recipe.vae.empty() ? pixels : "LDMPipeline"},
                    {"_diffusers_version", "0.42.1"},
                    {"scheduler", {"diffusers", scheduler}},
                    {"unet", {"diffusers", "UNet2DModel"}}};
  if (!recipe.vae.empty()) index["vqvae"] = {"diffusers", "AutoencoderKL"};
  return index;
}

/// Side of an x0, which diffusers' pipelines read from the network's config.
std::int64_t sample_size_of(const UnconditionalRecipe& recipe, const RunFolder& run) {
  if (recipe.vae.empty()) return recipe.data.image_size;
  const auto vae = AutoencoderKLConfig::from_json(read_json(run.path() / "vae" / "config.json"));
  return recipe.data.image_size / vae.downscale_factor();
}

class UnconditionalJob : public TrainingJob {
 public:
  explicit UnconditionalJob(UnconditionalRecipe recipe) : recipe_(std::move(recipe)) {}

  const Recipe& recipe() const override { return recipe_; }
  bool has_dropout() const override { return value_or(recipe_.unet, "dropout", 0.0) > 0; }
  RunIdentity identity() const override {
    const auto& data = recipe_.data;
    const Json images = {
        {"format", data.format},     {"image_size", data.image_size},           {"resize", data.resize},
        {"held_out", data.held_out}, {"horizontal_flip", data.horizontal_flip}, {"class_dropout", data.class_dropout}};
    return {.fixed = {{"seed", recipe_.seed},
                      {"data", images},
                      {"unet", Json(UNet2DModelConfig::from_json(recipe_.unet).to_json())},
                      {"scheduler", Json(ScheduleConfig::from_json(recipe_.scheduler).to_json())},
                      {"vae", recipe_.vae.empty() ? "none" : "an autoencoder"}},
            .places = {{"data", {{"path", data.path}}}, {"vae", recipe_.vae}}};
  }
  void check() const override { check_unconditional_recipe(recipe_); }
  std::unique_ptr<Task> make_task(const TaskContext& context) const override {
    return std::make_unique<UnconditionalTask>(recipe_, context);
  }

  void export_weights(const RunFolder& run, const Checkpoint& checkpoint, const std::filesystem::path& folder,
                      const SaveOptions& options) const override {
    auto unet = UNet2DModelConfig::from_json(recipe_.unet);
    unet.sample_size = {sample_size_of(recipe_, run)};
    save_weights(checkpoint.part("ema.unet."), folder / "unet", options);
    OrderedJson config = unet.to_json();
    // diffusers ignores keys that begin with "_". It has no name for the class that stands for none.
    if (recipe_.data.class_dropout > 0) config["_none_class"] = unet.num_class_embeds - 1;
    write_json(folder / "unet" / "config.json", config);
    if (!recipe_.vae.empty()) export_first_stage(run, folder / "vqvae", options);
    const auto schedule = ScheduleConfig::from_json(recipe_.scheduler);
    write_json(folder / "scheduler" / "scheduler_config.json", schedule.to_json());
    // Last: it marks the folder as a pipeline.
    write_json(folder / "model_index.json", unconditional_index(recipe_, schedule.class_name));
  }

 private:
  UnconditionalRecipe recipe_;
};

}  // namespace

TrainingKind unconditional_kind() {
  return {.name = "unconditional",
          .keys = {"data", "vae", "unet", "scheduler", "loss", "sample", "bits_per_dimension"},
          .parse = [](const Json& json, const std::string& where) -> std::unique_ptr<TrainingJob> {
            return std::make_unique<UnconditionalJob>(parse_unconditional_recipe(json, where));
          }};
}

}  // namespace sfumato
