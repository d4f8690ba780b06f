#include "training/kinds/classifier/classifier_kind.h"

#include "training/kinds/classifier/classifier_task.h"

namespace sfumato {
namespace {

class ClassifierJob : public TrainingJob {
 public:
  explicit ClassifierJob(ClassifierRecipe recipe) : recipe_(std::move(recipe)) {}

  const Recipe& recipe() const override { return recipe_; }
  RunIdentity identity() const override {
    return {.fixed = {{"seed", recipe_.seed},
                      {"data", fixed_data(recipe_.data)},
                      {"classifier", Json(ImageClassifierConfig::from_json(recipe_.classifier).to_json())}},
            .places = {{"data", pack_places(recipe_.data)}}};
  }
  void check() const override { check_classifier_recipe(recipe_); }
  std::unique_ptr<Task> make_task(const TaskContext& context) const override {
    return std::make_unique<ClassifierTask>(recipe_, context.device);
  }
  /// Takes the labels from the pack, which must still exist.
  void export_weights(const RunFolder& run, const Checkpoint& checkpoint, const std::filesystem::path& folder,
                      const SaveOptions& options) const override {
    auto config = ImageClassifierConfig::from_json(recipe_.classifier);
    config.image_size = recipe_.data.image_size;
    config.labels = Pack(recipe_.data.packs).thing_names();
    auto as_model = options;
    as_model.basename = "model";
    save_weights(checkpoint.part("ema.classifier."), folder, as_model);
    write_json(folder / "config.json", config.to_json());
  }

 private:
  ClassifierRecipe recipe_;
};

}  // namespace

TrainingKind classifier_kind() {
  return {.name = "classifier",
          .keys = {"data", "classifier", "sample"},
          .parse = [](const Json& json, const std::string& where) -> std::unique_ptr<TrainingJob> {
            return std::make_unique<ClassifierJob>(parse_classifier_recipe(json, where));
          }};
}

}  // namespace sfumato
