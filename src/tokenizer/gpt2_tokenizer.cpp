#include "tokenizer/gpt2_tokenizer.h"

#include <algorithm>
#include <stdexcept>

#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

const std::map<std::string, std::string> kGpt2Roles = {{"bos_token", "<|endoftext|>"},
                                                       {"eos_token", "<|endoftext|>"},
                                                       {"unk_token", "<|endoftext|>"},
                                                       {"pad_token", "<|endoftext|>"}};

Json read_config(const std::filesystem::path& folder) {
  const auto path = folder / "tokenizer_config.json";
  return std::filesystem::exists(path) ? read_json(path) : Json::object();
}

/// Value of do_lower_case. Throws for a key of transformers that this class does not support.
bool reads_lower_case(const std::filesystem::path& folder) {
  const auto config = read_config(folder);
  for (const auto* key : {"add_prefix_space", "add_bos_token"})
    if (value_or(config, key, false))
      throw std::runtime_error((folder / "tokenizer_config.json").string() + ": '" + key +
                               "' is true; supported is false");
  return value_or(config, "do_lower_case", false);
}

}  // namespace

bool GPT2Tokenizer::is_in(const std::filesystem::path& folder) {
  const auto name = value_or<std::string>(read_config(folder), "tokenizer_class", "");
  return name == "GPT2Tokenizer" || name == "GPT2TokenizerFast";
}

GPT2Tokenizer::GPT2Tokenizer(const std::filesystem::path& folder)
    : config_(read_tokenizer_config(folder, kGpt2Roles)),
      encoding_(folder, config_.roles.at("unk_token").content, ""),
      words_(kByteLevelWords),
      lower_case_(reads_lower_case(folder)) {
  special_tokens_ =
      assign_ids(config_, encoding_.size(), [this](const std::string& content) { return encoding_.id(content); });
}

std::vector<std::int64_t> GPT2Tokenizer::text_ids(const std::string& text) const {
  require_utf8(text);
  std::vector<std::int64_t> ids;
  for (const auto& segment : split_at_special_tokens(text, special_tokens_, /*normalized=*/false)) {
    segment.append_to(ids);
    if (segment.id >= 0) continue;
    const auto part = lower_case_ ? to_lower(segment.text) : std::string(segment.text);
    for (const auto word : words_.matches(part)) encoding_.encode(word, ids);
  }
  return ids;
}

SpecialIds GPT2Tokenizer::special_ids() const {
  return {.bos = std::nullopt,
          .eos = config_.roles.at("eos_token").id,
          .pad = config_.roles.at("pad_token").id,
          .comma = encoding_.id(",")};
}

Tokens GPT2Tokenizer::encode(const std::string& text) const {
  const auto all = text_ids(text);
  const auto kept = std::min(all.size(), static_cast<std::size_t>(max_length()));
  const auto end = all.begin() + static_cast<std::ptrdiff_t>(kept);
  Tokens tokens;
  tokens.ids.assign(all.begin(), end);
  tokens.ids.resize(static_cast<std::size_t>(max_length()), special_ids().pad);
  tokens.cut = encoding_.decode({end, all.end()});
  tokens.length = static_cast<std::int64_t>(kept);
  return tokens;
}

}  // namespace sfumato
