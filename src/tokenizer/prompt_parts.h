#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sfumato {

/// One of the prompts that AND joins (composable diffusion; Liu et al. 2022).
struct PromptPart {
  std::string text;
  double weight = 1;

  bool operator==(const PromptPart&) const = default;
};

/// "a cat :1.2 AND a dog" as AUTOMATIC1111's web UI reads it: AND is a word of its own in capitals, and a number behind
/// the last colon of a part is its weight. A prompt without AND is one part of weight 1 as it stands, "16:9" included;
/// the web UI would take the 9 for a weight.
std::vector<PromptPart> split_parts(const std::string& prompt);

/// <lora:name:0.8> of a prompt.
struct LoraTag {
  std::string name;
  double weight = 1;               ///< of the UNet
  double text_encoder_weight = 1;  ///< of the text encoders
  /// Rank that the LoRA is cut to, AUTOMATIC1111's dyn_dim.
  std::optional<std::int64_t> dyn = {};

  bool operator==(const LoraTag&) const = default;
};

/// A prompt without its tags.
struct ParsedPrompt {
  std::string text;
  std::vector<LoraTag> loras;
  /// Tags of another kind as they stand, such as <hypernet:name:1>.
  std::vector<std::string> others = {};
};

/// Takes all tags <kind:...> out as AUTOMATIC1111's web UI does. Those of LoRAs are <lora:name>, <lora:name:weight>,
/// <lora:name:text encoders':UNet's> and <lora:name:text encoders':UNet's:dyn>, also with te=, unet= and dyn=, or lyco
/// in place of lora. Throws std::invalid_argument naming a LoRA's tag with a weight that is no number, a dyn that is no
/// whole number of 1 or more, or more than that.
ParsedPrompt take_out_loras(const std::string& prompt);

}  // namespace sfumato
