#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/json.h"

namespace sfumato {

/// The scales that a LoRA file's layers have by peft's LoraConfig: by the one of each network that diffusers keeps in
/// the file's metadata, its keys flattened (`unet.lora_alpha`, `unet.alpha_pattern`, ...), or by an adapter_config.json
/// beside the file.
class LoraAlphas {
 public:
  /// `metadata` as the file has it; none of it may be there. Throws std::runtime_error naming `path` where it is
  /// damaged.
  LoraAlphas(const std::map<std::string, std::string>& metadata, const std::filesystem::path& path);

  /// Of peft's own files. Throws std::runtime_error naming the config where it is damaged or asks for what is not
  /// supported.
  static LoraAlphas of_adapter(const std::filesystem::path& adapter_config);

  /// peft's scale of a layer (`unet.down_blocks...`; of an adapter, the module's name alone) of this rank: alpha /
  /// rank, or alpha / sqrt(rank) with use_rslora; 1 where nothing is said of its network. `rank` is 0 of a method that
  /// has none; an adapter's scale is then by the config's rank.
  double scale(const std::string& layer, double rank) const;

 private:
  LoraAlphas() = default;

  nlohmann::ordered_json config_ = nlohmann::ordered_json::object();
  bool is_adapter_ = false;
};

}  // namespace sfumato
