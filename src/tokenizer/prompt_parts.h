#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sfumato {

/// One of the prompts joined by AND (composable diffusion; Liu et al. 2022).
struct PromptPart {
  std::string text;
  double weight = 1;

  bool operator==(const PromptPart&) const = default;
};

/// Splits "a cat :1.2 AND a dog" as AUTOMATIC1111's web UI does: AND is a separate word in capitals, and a number after
/// the last colon of a part is its weight. A prompt without AND is one unchanged part of weight 1, even with "16:9",
/// whose 9 the web UI would take for a weight.
std::vector<PromptPart> split_parts(const std::string& prompt);

/// Largest weight of a LoRA, of either sign; with more, values of the network soon overflow.
inline constexpr int kLargestLoraWeight = 1000;

/// A tag <lora:name:0.8> of a prompt.
struct LoraTag {
  std::string name;
  double weight = 1;               ///< in the UNet
  double text_encoder_weight = 1;  ///< in the text encoders
  /// Rank to which the LoRA is cut, AUTOMATIC1111's dyn_dim.
  std::optional<std::int64_t> dyn = {};

  bool operator==(const LoraTag&) const = default;
};

/// A prompt without its tags, and the tags.
struct ParsedPrompt {
  std::string text;
  std::vector<LoraTag> loras;
  /// Tags of other kinds, unchanged, such as <hypernet:name:1>.
  std::vector<std::string> others = {};
};

/// Removes all tags <kind:...> as AUTOMATIC1111's web UI does. Those of LoRAs are <lora:name>, <lora:name:weight>,
/// <lora:name:text encoders':UNet's> and <lora:name:text encoders':UNet's:dyn>, also with te=, unet= and dyn=, or with
/// lyco in place of lora. Throws std::invalid_argument naming a LoRA's tag with a weight that is no number or
/// above kLargestLoraWeight, a dyn that is no integer of at least 1, or too many values.
ParsedPrompt take_out_loras(const std::string& prompt);

}  // namespace sfumato
