#include "tokenizer/prompt_parts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "tokenizer/regex.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

/// Parses a finite decimal number that is all of `text` but white space.
std::optional<double> decimal(std::string_view text, std::chars_format format) {
  auto digits = trim(text);
  if (digits.starts_with('+')) digits.remove_prefix(1);
  double value = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stopped, error] = std::from_chars(digits.data(), end, value, format);
  if (digits.empty() || error != std::errc() || stopped != end || !std::isfinite(value)) return std::nullopt;
  return value;
}

PromptPart part_of(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    if (const auto weight = decimal(text.substr(colon + 1), std::chars_format::fixed))
      return {std::string(trim(text.substr(0, colon))), *weight};
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

[[noreturn]] void refuse_tag(std::string_view tag, std::string_view item, const std::string& expected) {
  throw std::invalid_argument("the tag " + std::string(tag) + ": '" + std::string(item) + "': expected " + expected);
}

double lora_weight(std::string_view text, std::string_view tag) {
  const auto weight = decimal(text, std::chars_format::general);
  if (!weight || std::abs(*weight) > kLargestLoraWeight) {
    const auto largest = std::to_string(kLargestLoraWeight);
    refuse_tag(tag, text, "a weight of -" + largest + " to " + largest);
  }
  return *weight;
}

std::int64_t lora_dyn(std::string_view text, std::string_view tag) {
  std::int64_t dyn = 0;
  const auto digits = trim(text);
  const auto [stopped, error] = std::from_chars(digits.data(), digits.data() + digits.size(), dyn);
  if (error != std::errc() || stopped != digits.data() + digits.size() || dyn < 1)
    refuse_tag(tag, text, "a dyn that is a whole number of 1 or more");
  return dyn;
}

/// Parses a LoRA tag. Numbers without a name are te, unet and dyn, in this order; named ones take precedence.
LoraTag lora_of(std::string_view tag) {
  constexpr std::array<std::string_view, 3> kNames = {"te", "unet", "dyn"};
  std::array<std::optional<std::string_view>, 3> numbers, named;
  const auto items = split_at_colons(tag.substr(1, tag.size() - 2));
  std::size_t place = 0;
  for (std::size_t i = 2; i < items.size(); ++i) {
    const auto equals = items[i].find('=');
    if (equals == std::string_view::npos) {
      if (place == numbers.size()) refuse_tag(tag, items[i], "a name and no more than three numbers");
      numbers[place++] = items[i];
      continue;
    }
    const auto name = std::find(kNames.begin(), kNames.end(), items[i].substr(0, equals));
    if (name == kNames.end()) refuse_tag(tag, items[i], "te=, unet= or dyn=");
    named[static_cast<std::size_t>(name - kNames.begin())] = items[i].substr(equals + 1);
  }
  const auto number = [&](std::size_t i) { return named[i] ? named[i] : numbers[i]; };
  LoraTag lora{.name = std::string(items[1])};
  if (const auto text = number(0)) lora.text_encoder_weight = lora_weight(*text, tag);
  lora.weight = lora.text_encoder_weight;
  if (const auto text = number(1)) lora.weight = lora_weight(*text, tag);
  if (const auto text = number(2)) lora.dyn = lora_dyn(*text, tag);
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
  for (const auto& tag : Regex(R"(<\w+:[^>]+>)").matches(prompt)) {
    const auto at = static_cast<std::size_t>(tag.data() - prompt.data());
    parsed.text += prompt.substr(begin, at - begin);
    if (tag.starts_with("<lora:") || tag.starts_with("<lyco:"))
      parsed.loras.push_back(lora_of(tag));
    else
      parsed.others.emplace_back(tag);
    begin = at + tag.size();
  }
  parsed.text += prompt.substr(begin);
  return parsed;
}

}  // namespace sfumato
