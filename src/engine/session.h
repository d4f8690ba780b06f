#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/metadata.h"
#include "engine/model_choice.h"
#include "engine/plan.h"
#include "systems/stable_diffusion/generate.h"

namespace sfumato {

/// text_to_image, or another pipeline with its image.
using Pipeline = std::function<Generated(const StableDiffusion& model, const Request& request, const OnStep& on_step,
                                         const Attachments& attachments)>;

/// A loaded model with everything that a run's batches name: adapters, ControlNets and refiner. Generates one batch
/// after the other.
class Session {
 public:
  /// Loads everything and validates each request, so that no error is left for later batches. `batches` are not empty;
  /// all have the first one's ControlNets and refiner. `source` are the sources of the program (shipped_folders).
  /// Throws std::invalid_argument for a wrong choice or request and std::runtime_error for a file that cannot be read
  /// or does not match the model.
  Session(const ModelChoice& choice, const std::vector<PlannedBatch>& batches, const std::filesystem::path& source);

  const StableDiffusion& model() const { return *model_; }
  /// Path of the model.
  const std::filesystem::path& path() const { return path_; }
  const Attachments& attachments() const { return attachments_; }
  /// Sets Attachments::on_estimate for all batches.
  void watch_estimates(std::function<void(const torch::Tensor& x, const torch::Tensor& x0)> on_estimate);
  /// Applies the batch's LoRAs and generates its images.
  Generated generate(const Pipeline& pipeline, const PlannedBatch& batch, const OnStep& on_step);
  /// Returns the record of an image of the last batch, whose resolved request is `request`.
  ImageRecord record(const Request& request) const;
  /// Returns warnings for the user since the last call.
  std::vector<std::string> take_warnings();

 private:
  void add_adapters(const std::vector<PlannedBatch>& batches);
  void use_loras(const Adapters& adapters);
  void warn(const std::vector<std::string>& warnings);

  ModelChoice choice_;
  std::vector<std::string> warnings_;
  Placement placement_;
  std::filesystem::path path_;
  std::unique_ptr<StableDiffusion> model_;  ///< has a stable address for loras_
  Attachments attachments_;
  std::optional<LoraSlot> loras_;  ///< empty if all batches have the same
  Adapters adapters_;              ///< those in use, and their hashes
  AdapterHashes hashes_;
  AdapterHasher hasher_;
};

}  // namespace sfumato
