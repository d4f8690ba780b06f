#include "tokenizer/clip_tokenizer.h"

#include <algorithm>
#include <stdexcept>

#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

// transformers' pattern for CLIP; its ByteLevel pre-tokenizer applies GPT-2's to each match.
constexpr const char* kWords =
    R"(<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\p{White_Space}\p{L}\p{N}]+)";

const std::map<std::string, std::string> kClipRoles = {{"bos_token", "<|startoftext|>"},
                                                       {"eos_token", "<|endoftext|>"},
                                                       {"unk_token", "<|endoftext|>"},
                                                       {"pad_token", "<|endoftext|>"}};

}  // namespace

CLIPTokenizer::CLIPTokenizer(const std::filesystem::path& folder)
    : config_(read_tokenizer_config(folder, kClipRoles)),
      encoding_(folder, config_.roles.at("unk_token").content, "</w>"),
      words_(kWords),
      byte_level_words_(kByteLevelWords) {
  special_tokens_ =
      assign_ids(config_, encoding_.size(), [this](const std::string& content) { return encoding_.id(content); });
  for (auto& token : special_tokens_)
    if (token.normalized) token.content = normalize(token.content);
}

void CLIPTokenizer::add_word(const std::string& word, std::int64_t first_id, std::int64_t count) {
  require_utf8(word);
  const auto content = normalize(word);
  const auto is_known = [&](const SpecialToken& token) { return token.content == content; };
  if (content.empty() || std::any_of(special_tokens_.begin(), special_tokens_.end(), is_known))
    throw std::invalid_argument("the word '" + word + "' has a meaning already");
  special_tokens_.push_back(
      {.content = content, .normalized = true, .id = first_id, .count = count, .whole_word = true});
}

void CLIPTokenizer::remove_word(const std::string& word) {
  const auto content = normalize(word);
  std::erase_if(special_tokens_,
                [&](const SpecialToken& token) { return token.whole_word && token.content == content; });
}

std::int64_t CLIPTokenizer::role_id(const std::string& role) const {
  return config_.roles.at(role).id;
}

std::string CLIPTokenizer::normalize(std::string_view text) const {
  return to_lower(collapse_white_space(to_nfc(text)));
}

void CLIPTokenizer::encode_words(std::string_view text, std::vector<std::int64_t>& ids) const {
  for (const auto word : words_.matches(text)) {
    for (const auto part : byte_level_words_.matches(word)) encoding_.encode(part, ids);
  }
}

std::vector<std::int64_t> CLIPTokenizer::text_ids(const std::string& text) const {
  require_utf8(text);
  std::vector<std::int64_t> ids;
  for (const auto& segment : split_at_special_tokens(text, special_tokens_, /*normalized=*/false)) {
    segment.append_to(ids);
    if (segment.id >= 0) continue;
    const auto normal = normalize(segment.text);
    for (const auto& part : split_at_special_tokens(normal, special_tokens_, /*normalized=*/true)) {
      part.append_to(ids);
      if (part.id < 0) encode_words(part.text, ids);
    }
  }
  return ids;
}

SpecialIds CLIPTokenizer::special_ids() const {
  return {.bos = role_id("bos_token"),
          .eos = role_id("eos_token"),
          .pad = role_id("pad_token"),
          .comma = encoding_.id(",</w>")};
}

Tokens CLIPTokenizer::encode(const std::string& text) const {
  const auto all = text_ids(text);
  const auto room = static_cast<std::size_t>(max_length() - 2);
  const auto kept = all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), room));
  Tokens tokens;
  tokens.ids.reserve(static_cast<std::size_t>(max_length()));
  tokens.ids.push_back(role_id("bos_token"));
  tokens.ids.insert(tokens.ids.end(), all.begin(), kept);
  tokens.ids.push_back(role_id("eos_token"));
  tokens.length = static_cast<std::int64_t>(tokens.ids.size());
  tokens.ids.resize(static_cast<std::size_t>(max_length()), role_id("pad_token"));
  tokens.cut = encoding_.decode({kept, all.end()});
  if (tokens.cut.ends_with(' ')) tokens.cut.pop_back();
  return tokens;
}

}  // namespace sfumato
