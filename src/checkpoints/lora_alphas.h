#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/json.h"

namespace sfumato {

/// The scales that diffusers keeps in a LoRA file's metadata: peft's LoraConfig of each network, its keys flattened
/// (`unet.lora_alpha`, `unet.alpha_pattern`, ...).
class LoraAlphas {
 public:
  /// `metadata` as the file has it; none of it may be there. Throws std::runtime_error naming `path` where it is
  /// damaged.
  LoraAlphas(const std::map<std::string, std::string>& metadata, const std::filesystem::path& path);

  /// peft's scale of a layer (`unet.down_blocks...`) of this rank: alpha / rank, or alpha / sqrt(rank) with use_rslora;
  /// 1 where the metadata says nothing of its network.
  double scale(const std::string& layer, double rank) const;

 private:
  Json config_ = Json::object();
};

}  // namespace sfumato
