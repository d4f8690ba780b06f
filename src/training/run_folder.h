#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/json.h"

namespace sfumato {

/// A run's state after `step` updates.
struct Checkpoint {
  std::int64_t step = 0;
  /// "model.NAME", "ema.NAME", "optimizer.exp_avg.NAME", ...
  std::map<std::string, torch::Tensor> tensors;
  /// The held-out metrics last measured, and what else is small.
  Json metrics = Json::object();

  /// The tensors whose names start with `prefix`, without it.
  std::map<std::string, torch::Tensor> part(const std::string& prefix) const;
};

/// The folder of one training run:
///   recipe.json  things.json  log.jsonl  samples/  checkpoints/step-00000500/{state.safetensors, state.json}
///   vae/  latents.safetensors (kind text_to_image)
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  const std::filesystem::path& path() const { return path_; }

  /// Writes a checkpoint whole or not at all (a folder of its own, flushed and renamed), then removes all but the
  /// newest two. Throws std::runtime_error where the disk refuses.
  void write(const Checkpoint& checkpoint) const;
  /// The newest whole checkpoint, or nothing. Throws std::runtime_error where its files are damaged.
  std::optional<Checkpoint> newest() const;
  bool has_checkpoints() const { return !checkpoint_folders().empty(); }
  /// Whether a run was started in it, perhaps without coming to a checkpoint.
  bool is_begun() const;
  /// Where latents are kept while they are made (latent_cache.h); gone once they are whole.
  std::filesystem::path unfinished_latents() const;

  /// Appends one line of JSON to log.jsonl.
  void log(const nlohmann::ordered_json& line) const;
  /// Drops the log's lines of steps after `step`: what a stopped run did since its last checkpoint is done again.
  void cut_log(std::int64_t step) const;

  std::filesystem::path sample_path(std::int64_t step) const;

 private:
  std::vector<std::filesystem::path> checkpoint_folders() const;

  std::filesystem::path path_;
};

}  // namespace sfumato
