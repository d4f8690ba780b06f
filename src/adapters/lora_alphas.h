#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/json.h"

namespace sfumato {

/// Scales of a LoRA file's layers from peft's LoraConfig: from the config of each network that diffusers stores in the
/// file's metadata with flattened keys (`unet.lora_alpha`, `unet.alpha_pattern`, ...), or from an adapter_config.json
/// beside the file.
class LoraAlphas {
 public:
  /// Reads the file's `metadata`, which may have no scales. Throws std::runtime_error naming `path` if it is
  /// damaged.
  LoraAlphas(const std::map<std::string, std::string>& metadata, const std::filesystem::path& path);

  /// Reads the config next to peft's own files. Throws std::runtime_error naming the config if it is damaged or has an
  /// unsupported setting.
  static LoraAlphas of_adapter(const std::filesystem::path& adapter_config);

  /// peft's scale of a layer (`unet.down_blocks...`; for an adapter, the module's name alone) of this rank: alpha /
  /// rank, or alpha / sqrt(rank) with use_rslora; 1 without a config for its network. `rank` is 0 for a method without
  /// one; an adapter's scale then uses the config's rank.
  double scale(const std::string& layer, double rank) const;

 private:
  LoraAlphas() = default;

  nlohmann::ordered_json config_ = nlohmann::ordered_json::object();
  bool is_adapter_ = false;
};

}  // namespace sfumato
