#include "training/kinds/vae/vae_kind.h"

#include "training/kinds/vae/vae_task.h"

namespace sfumato {
namespace {

class VaeJob : public TrainingJob {
 public:
  explicit VaeJob(VaeRecipe recipe) : recipe_(std::move(recipe)) {}

  const Recipe& recipe() const override { return recipe_; }
  std::string needs_weights() const override {
    return recipe_.freeze_encoder ? "'freeze_encoder' keeps an encoder as it is" : "";
  }
  RunIdentity identity() const override {
    return {.fixed = {{"seed", recipe_.seed},
                      {"data", fixed_data(recipe_.data)},
                      {"vae", Json(AutoencoderKLConfig::from_json(recipe_.vae).to_json())},
                      {"freeze_encoder", recipe_.freeze_encoder}},
            .places = {{"data", pack_places(recipe_.data)}}};
  }
  void check() const override { check_vae_recipe(recipe_); }
  std::unique_ptr<Task> make_task(const TaskContext& context) const override {
    return std::make_unique<VaeTask>(recipe_, context.device);
  }
  void export_weights(const RunFolder& run, const Checkpoint& checkpoint, const std::filesystem::path& folder,
                      const SaveOptions& options) const override {
    auto config = AutoencoderKLConfig::from_json(recipe_.vae);
    config.sample_size = recipe_.data.image_size;
    // With a frozen encoder, latents and their scale are those of the run's initial autoencoder.
    if (!recipe_.freeze_encoder) config.scaling_factor = 1.0 / value_or(checkpoint.metrics, "latent_std", 1.0);
    save_weights(checkpoint.part("ema.vae."), folder, options);
    write_json(folder / "config.json", config.to_json());
  }

 private:
  VaeRecipe recipe_;
};

}  // namespace

TrainingKind vae_kind() {
  return {.name = "vae",
          .keys = {"data", "vae", "freeze_encoder", "loss", "sample"},
          .parse = [](const Json& json, const std::string& where) -> std::unique_ptr<TrainingJob> {
            return std::make_unique<VaeJob>(parse_vae_recipe(json, where));
          }};
}

}  // namespace sfumato
