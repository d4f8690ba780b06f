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
  /// The latest held-out metrics, and other small values.
  Json metrics = Json::object();

  /// Returns the tensors whose names start with `prefix`, without that prefix.
  std::map<std::string, torch::Tensor> part(const std::string& prefix) const;
};

/// Folder of one training run:
///   recipe.json  things.json  log.jsonl  samples/  checkpoints/step-00000500/{state.safetensors, state.json}
///   vae/  latents.safetensors  low_res_latents.safetensors (of kinds in latents)  pack.safetensors  pack.json
class RunFolder {
 public:
  explicit RunFolder(std::filesystem::path path) : path_(std::move(path)) {}
  const std::filesystem::path& path() const { return path_; }

  /// Writes a checkpoint completely or not at all (a separate folder, flushed and renamed), then removes all but the
  /// newest two. Throws std::runtime_error if writing fails.
  void write(const Checkpoint& checkpoint) const;
  /// Reads the newest complete checkpoint, or returns nothing. Throws std::runtime_error if its files are damaged.
  std::optional<Checkpoint> newest() const;
  bool has_checkpoints() const { return !checkpoint_folders().empty(); }
  /// True if a run was started in it, even without a checkpoint so far.
  bool is_begun() const;
  /// Folder of partial latents (latent_cache.h); removed once all are complete.
  std::filesystem::path unfinished_latents() const;

  /// Appends one line of JSON to log.jsonl.
  void log(const nlohmann::ordered_json& line) const;
  /// Removes the log's lines of steps after `step`: a stopped run repeats its work since the last checkpoint.
  void cut_log(std::int64_t step) const;

  std::filesystem::path sample_path(std::int64_t step) const;

 private:
  std::vector<std::filesystem::path> checkpoint_folders() const;

  std::filesystem::path path_;
};

}  // namespace sfumato
