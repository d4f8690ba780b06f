#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace sfumato {

/// Values of the config beside a single file (CompVis' and Stability AI's form) that affect images and are not stored
/// in the file's keys.
struct CheckpointYaml {
  std::optional<std::string> prediction_type;  ///< epsilon, v_prediction or sample: parameterization, or XL's scaling
  std::optional<double> beta_start, beta_end;  ///< linear_start, linear_end
  std::optional<std::int64_t> num_train_timesteps;  ///< timesteps
  std::optional<double> scaling_factor;             ///< scale_factor
};

/// Reads NAME.yaml beside NAME.safetensors or NAME.ckpt; empty if there is none. Reads only lines "key: value" whose
/// keys are nested by indentation. Throws std::runtime_error naming the file, the line and the
/// value.
CheckpointYaml read_checkpoint_yaml(const std::filesystem::path& checkpoint);

}  // namespace sfumato
