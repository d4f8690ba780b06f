#include "tokenizer/special_tokens.h"

#include <cctype>
#include <stdexcept>

#include "core/json.h"

namespace sfumato {
namespace {

/// A token as the configs write it: its text, or an object with "content" and flags.
SpecialToken parse_token(const Json& json, const std::filesystem::path& path) {
  if (json.is_string()) return {.content = json.get<std::string>()};
  if (!json.is_object() || !json.contains("content") || !json["content"].is_string()) {
    throw std::runtime_error(path.string() + ": a token is " + json.dump() +
                             "; expected a string or an object with \"content\"");
  }
  return {.content = json["content"].get<std::string>(), .normalized = value_or(json, "normalized", false)};
}

void read_roles(const Json& json, const std::filesystem::path& path, std::map<std::string, SpecialToken>& roles) {
  for (auto& [role, token] : roles) {
    const auto found = json.find(role);
    if (found != json.end() && !found->is_null()) token = parse_token(*found, path);
  }
}

std::int64_t read_max_length(const Json& json, const std::filesystem::path& path) {
  const auto found = json.find("model_max_length");
  // transformers writes 1e30 for "unknown"; nothing can be padded to that.
  const double length = found != json.end() && found->is_number() ? found->get<double>() : 0.0;
  if (length < 2 || length > 1e6) {
    throw std::runtime_error(path.string() + ": 'model_max_length' is " +
                             (found == json.end() ? "missing" : found->dump()) +
                             "; expected the number of tokens that the text encoder takes");
  }
  return static_cast<std::int64_t>(length);
}

std::vector<SpecialToken> read_added(const Json& decoder, const std::filesystem::path& path) {
  std::vector<SpecialToken> added;
  for (const auto& [id, json] : decoder.items()) {
    auto token = parse_token(json, path);
    try {
      token.id = std::stoll(id);
    } catch (const std::logic_error&) {
      throw std::runtime_error(path.string() + ": added_tokens_decoder has the key \"" + id + "\"; expected an id");
    }
    added.push_back(std::move(token));
  }
  return added;
}

/// Beyond ASCII every character counts as a letter.
bool is_word_byte(char byte) {
  const auto value = static_cast<unsigned char>(byte);
  return value >= 0x80 || std::isalnum(value) != 0 || byte == '_';
}

/// Does a longer word begin before `begin` or end after `end`?
bool lies_within_a_word(std::string_view text, std::size_t begin, std::size_t end) {
  const bool before = begin > 0 && is_word_byte(text[begin - 1]) && is_word_byte(text[begin]);
  const bool after = end < text.size() && is_word_byte(text[end - 1]) && is_word_byte(text[end]);
  return before || after;
}

const SpecialToken* longest_match(std::string_view text, std::size_t at, const std::vector<SpecialToken>& tokens,
                                  bool normalized) {
  const SpecialToken* longest = nullptr;
  for (const auto& token : tokens) {
    const auto& content = token.content;
    if (token.normalized != normalized || content.empty() || !text.substr(at).starts_with(content)) continue;
    if (token.single_word && lies_within_a_word(text, at, at + content.size())) continue;
    if (longest == nullptr || content.size() > longest->content.size()) longest = &token;
  }
  return longest;
}

}  // namespace

TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder,
                                      const std::map<std::string, std::string>& defaults) {
  const auto path = folder / "tokenizer_config.json";
  const auto json = read_json(path);
  if (!json.is_object()) throw std::runtime_error(path.string() + ": expected a JSON object");
  TokenizerConfig config;
  config.model_max_length = read_max_length(json, path);
  for (const auto& [role, content] : defaults) config.roles[role] = {.content = content};
  read_roles(json, path, config.roles);
  const auto decoder = json.find("added_tokens_decoder");
  const auto map_path = folder / "special_tokens_map.json";
  if (decoder != json.end() && decoder->is_object()) {
    config.added = read_added(*decoder, path);
    for (auto& [role, token] : config.roles) {
      for (const auto& added : config.added) {
        if (added.content == token.content) token = added;
      }
    }
  } else if (std::filesystem::exists(map_path)) {
    read_roles(read_json(map_path), map_path, config.roles);
  }
  return config;
}

std::vector<Segment> split_at_special_tokens(std::string_view text, const std::vector<SpecialToken>& tokens,
                                             bool normalized) {
  std::vector<Segment> segments;
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto* token = longest_match(text, i, tokens, normalized);
    if (token == nullptr) {
      ++i;
      continue;
    }
    if (i > start) segments.push_back({.text = text.substr(start, i - start)});
    segments.push_back({.text = text.substr(i, token->content.size()), .id = token->id, .count = token->count});
    start = i += token->content.size();
  }
  if (start < text.size()) segments.push_back({.text = text.substr(start)});
  return segments;
}

}  // namespace sfumato
