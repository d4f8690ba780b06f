#include "training/kinds/text_to_image/text_to_image_kind.h"

#include "training/kinds/text_to_image/text_to_image_export.h"
#include "training/kinds/text_to_image/text_to_image_task.h"

namespace sfumato {
namespace {

class TextToImageJob : public TrainingJob {
 public:
  explicit TextToImageJob(TextToImageRecipe recipe) : recipe_(std::move(recipe)) {}

  const Recipe& recipe() const override { return recipe_; }
  bool has_dropout() const override { return value_or(recipe_.unet, "dropout", 0.0) > 0; }
  /// Warns at the start of a run, since its export may come days later.
  std::vector<std::string> warnings() const override {
    if (std::filesystem::exists(std::filesystem::path(recipe_.tokenizer) / "spiece.model")) return {};
    return {"the recipe's tokenizer '" + recipe_.tokenizer + "' has no file spiece.model, which --export needs"};
  }
  RunIdentity identity() const override {
    return {.fixed = {{"seed", recipe_.seed},
                      {"data", fixed_data(recipe_.data)},
                      {"unet", Json(UNet2DConditionModelConfig::from_json(recipe_.unet).to_json())},
                      {"text_encoder", Json(T5EncoderModelConfig::from_json(recipe_.text_encoder).to_json())},
                      {"scheduler", Json(ScheduleConfig::from_json(recipe_.scheduler).to_json())}},
            .places = {{"data", pack_places(recipe_.data)}, {"vae", recipe_.vae}, {"tokenizer", recipe_.tokenizer}}};
  }
  void check() const override { check_text_to_image_recipe(recipe_); }
  std::unique_ptr<Task> make_task(const TaskContext& context) const override {
    return std::make_unique<TextToImageTask>(recipe_, context);
  }
  void export_weights(const RunFolder& run, const Checkpoint& checkpoint, const std::filesystem::path& folder,
                      const SaveOptions& options) const override {
    export_text_to_image(run, checkpoint, recipe_, folder, options);
  }

 private:
  TextToImageRecipe recipe_;
};

}  // namespace

TrainingKind text_to_image_kind() {
  return {.name = "text_to_image",
          .keys = {"data", "vae", "unet", "text_encoder", "scheduler", "tokenizer", "loss", "sample"},
          .parse = [](const Json& json, const std::string& where) -> std::unique_ptr<TrainingJob> {
            return std::make_unique<TextToImageJob>(parse_text_to_image_recipe(json, where));
          }};
}

}  // namespace sfumato
