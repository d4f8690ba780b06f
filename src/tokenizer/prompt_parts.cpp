#include "tokenizer/prompt_parts.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "tokenizer/regex.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

/// A decimal number without exponent, which is all of `text` but white space.
std::optional<double> decimal(std::string_view text) {
  auto digits = trim(text);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value, std::chars_format::fixed);
  if (digits.empty() || error != std::errc() || stopped != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

PromptPart part_of(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    if (const auto weight = decimal(text.substr(colon + 1))) return {std::string(trim(text.substr(0, colon))), *weight};
  }
  return {std::string(trim(text)), 1};
}

std::vector<std::string_view> split_at_colons(std::string_view text) {
  std::vector<std::string_view> items;
  for (auto colon = text.find(':'); colon != std::string_view::npos; colon = text.find(':')) {
    items.push_back(text.substr(0, colon));
    text.remove_prefix(colon + 1);
  }
  items.push_back(text);
  return items;
}

double lora_weight(std::string_view text, std::string_view tag) {
  const auto weight = decimal(text);
  if (!weight)
    throw std::invalid_argument("the tag " + std::string(tag) + ": '" + std::string(text) + "': expected a weight");
  return *weight;
}

/// One weight is for both, as there; a second one, or unet=, for the UNet alone.
LoraTag lora_of(std::string_view tag) {
  const auto items = split_at_colons(tag.substr(1, tag.size() - 2));
  LoraTag lora{.name = std::string(items[1])};
  std::optional<double> text_encoders, unet;
  for (std::size_t i = 2; i < items.size(); ++i) {
    const auto equals = items[i].find('=');
    const auto key = items[i].substr(0, equals == std::string_view::npos ? 0 : equals);
    if (!key.empty() && key != "te" && key != "unet")
      throw std::invalid_argument("the tag " + std::string(tag) + ": '" + std::string(key) + "': expected te or unet");
    const auto weight = lora_weight(items[i].substr(key.empty() ? 0 : equals + 1), tag);
    (key == "unet" || (key.empty() && i > 2) ? unet : text_encoders) = weight;
  }
  lora.text_encoder_weight = text_encoders.value_or(1);
  lora.weight = unet.value_or(lora.text_encoder_weight);
  return lora;
}

}  // namespace

std::vector<PromptPart> split_parts(const std::string& prompt) {
  const auto words = Regex(R"(\bAND\b)").matches(prompt);
  if (words.empty()) return {{prompt, 1}};
  std::vector<PromptPart> parts;
  const auto* begin = prompt.data();
  for (const auto& word : words) {
    parts.push_back(part_of({begin, static_cast<std::size_t>(word.data() - begin)}));
    begin = word.data() + word.size();
  }
  parts.push_back(part_of({begin, static_cast<std::size_t>(prompt.data() + prompt.size() - begin)}));
  return parts;
}

ParsedPrompt take_out_loras(const std::string& prompt) {
  ParsedPrompt parsed;
  std::size_t begin = 0;
  for (const auto& tag : Regex("<lora:[^>]+>").matches(prompt)) {
    const auto at = static_cast<std::size_t>(tag.data() - prompt.data());
    parsed.text += prompt.substr(begin, at - begin);
    parsed.loras.push_back(lora_of(tag));
    begin = at + tag.size();
  }
  parsed.text += prompt.substr(begin);
  return parsed;
}

}  // namespace sfumato
