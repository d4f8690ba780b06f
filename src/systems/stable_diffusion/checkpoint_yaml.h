#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace sfumato {

/// The config beside a single file (CompVis' and Stability AI's form), as far as a picture depends on it and no key of
/// the file tells it.
struct CheckpointYaml {
  std::optional<std::string> prediction_type;  ///< epsilon, v_prediction or sample: parameterization, or XL's scaling
  std::optional<double> beta_start, beta_end;  ///< linear_start, linear_end
  std::optional<std::int64_t> num_train_timesteps;  ///< timesteps
  std::optional<double> scaling_factor;             ///< scale_factor
};

/// Reads NAME.yaml beside NAME.safetensors or NAME.ckpt; empty where there is none. Only lines "key: value" with keys
/// that are told apart by their indentation are read. Throws std::runtime_error naming the file, the line and the
/// value.
CheckpointYaml read_checkpoint_yaml(const std::filesystem::path& checkpoint);

}  // namespace sfumato
