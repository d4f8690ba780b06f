#include "training/kinds/clip/clip_kind.h"

#include "diffusion/schedule_config.h"
#include "training/export_tokenizer.h"
#include "training/kinds/clip/clip_task.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

/// Returns preprocessor_config.json of a model whose pixels are in [-1, 1].
nlohmann::ordered_json image_processor(std::int64_t side) {
  return {{"image_processor_type", "CLIPImageProcessor"},
          {"crop_size", {{"height", side}, {"width", side}}},
          {"do_center_crop", true},
          {"do_convert_rgb", true},
          {"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", {0.5, 0.5, 0.5}},
          {"image_std", {0.5, 0.5, 0.5}},
          {"resample", 3},
          {"rescale_factor", 1.0 / 255},
          {"size", {{"shortest_edge", side}}}};
}

class CLIPJob : public TrainingJob {
 public:
  explicit CLIPJob(CLIPRecipe recipe) : recipe_(std::move(recipe)) {}

  const Recipe& recipe() const override { return recipe_; }
  bool couples_rows() const override { return true; }
  std::vector<std::string> warnings() const override {
    return missing_for_export("tokenizer", recipe_.tokenizer, "tokenizer_config.json");
  }
  RunIdentity identity() const override {
    const auto schedule = recipe_.noised ? Json(ScheduleConfig::from_json(recipe_.scheduler).to_json()) : Json();
    return {.fixed = {{"seed", recipe_.seed},
                      {"data", fixed_data(recipe_.data)},
                      {"clip", Json(recipe_.config().to_json())},
                      {"noised", recipe_.noised},
                      {"scheduler", schedule},
                      {"vae", recipe_.vae.empty() ? "none" : "an autoencoder"}},
            .places = {{"data", pack_places(recipe_.data)}, {"vae", recipe_.vae}, {"tokenizer", recipe_.tokenizer}}};
  }
  void check() const override { check_clip_recipe(recipe_); }
  std::unique_ptr<Task> make_task(const TaskContext& context) const override {
    return std::make_unique<CLIPTask>(recipe_, context);
  }
  /// Writes a folder of transformers' CLIPModel with its tokenizer; scheduler_config.json is the process of a noised
  /// one.
  void export_weights(const RunFolder& run, const Checkpoint& checkpoint, const fs::path& folder,
                      const SaveOptions& options) const override {
    export_tokenizer(recipe_.tokenizer, folder);
    auto as_model = options;
    as_model.basename = "model";
    save_weights(checkpoint.part("ema.clip."), folder, as_model);
    if (recipe_.vae.empty()) write_json(folder / "preprocessor_config.json", image_processor(recipe_.data.image_size));
    if (recipe_.noised)
      write_json(folder / "scheduler_config.json", ScheduleConfig::from_json(recipe_.scheduler).to_json());
    write_json(folder / "config.json", recipe_.config().to_json());
  }

 private:
  CLIPRecipe recipe_;
};

}  // namespace

TrainingKind clip_kind() {
  return {.name = "clip",
          .keys = {"data", "vae", "tokenizer", "clip", "noised", "scheduler", "sample"},
          .parse = [](const Json& json, const std::string& where) -> std::unique_ptr<TrainingJob> {
            return std::make_unique<CLIPJob>(parse_clip_recipe(json, where));
          }};
}

}  // namespace sfumato
