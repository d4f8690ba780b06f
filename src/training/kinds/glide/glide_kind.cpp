#include "training/kinds/glide/glide_kind.h"

#include "diffusion/schedule_config.h"
#include "models/glide_text_model.h"
#include "models/unet_2d_condition_config.h"
#include "training/export_tokenizer.h"
#include "training/kinds/glide/glide_export.h"
#include "training/kinds/glide/glide_task.h"

namespace sfumato {
namespace {

class GLIDEJob : public TrainingJob {
 public:
  explicit GLIDEJob(GLIDERecipe recipe) : recipe_(std::move(recipe)) {}

  const Recipe& recipe() const override { return recipe_; }
  bool has_dropout() const override { return value_or(recipe_.unet, "dropout", 0.0) > 0; }
  std::vector<std::string> warnings() const override {
    return recipe_.is_upsampler() ? missing_for_export("base", recipe_.base, "model_index.json")
                                  : missing_for_export("tokenizer", recipe_.tokenizer, "tokenizer_config.json");
  }
  RunIdentity identity() const override {
    return {.fixed = {{"seed", recipe_.seed},
                      {"data", fixed_data(recipe_.data)},
                      {"unet", Json(UNet2DConditionModelConfig::from_json(recipe_.unet).to_json())},
                      {"text_encoder", Json(GLIDETextModelConfig::from_json(recipe_.text_encoder).to_json())},
                      {"scheduler", Json(ScheduleConfig::from_json(recipe_.scheduler).to_json())},
                      {"inpaint", recipe_.inpaint},
                      {"low_res_size", recipe_.low_res_size},
                      {"vae", recipe_.vae.empty() ? "none" : "an autoencoder"}},
            .places = {{"data", pack_places(recipe_.data)},
                       {"vae", recipe_.vae},
                       {"tokenizer", recipe_.tokenizer},
                       {"base", recipe_.base}}};
  }
  void check() const override { check_glide_recipe(recipe_); }
  std::unique_ptr<Task> make_task(const TaskContext& context) const override {
    return std::make_unique<GLIDETask>(recipe_, context);
  }
  void export_weights(const RunFolder& run, const Checkpoint& checkpoint, const std::filesystem::path& folder,
                      const SaveOptions& options) const override {
    export_glide(run, checkpoint, recipe_, folder, options);
  }

 private:
  GLIDERecipe recipe_;
};

std::unique_ptr<TrainingJob> parse_glide_job(const Json& json, const std::string& where) {
  return std::make_unique<GLIDEJob>(parse_glide_recipe(json, where));
}

}  // namespace

TrainingKind glide_kind() {
  return {.name = "glide",
          .keys = {"data", "vae", "unet", "text_encoder", "scheduler", "tokenizer", "loss", "sample", "inpaint"},
          .parse = parse_glide_job};
}

TrainingKind glide_upsampler_kind() {
  return {
      .name = "glide_upsampler",
      .keys = {"data", "vae", "unet", "text_encoder", "scheduler", "loss", "sample", "inpaint", "low_res_size", "base"},
      .parse = parse_glide_job};
}

}  // namespace sfumato
