#include "tokenizer/tokenizer_config.h"

#include <algorithm>
#include <array>
#include <limits>
#include <stdexcept>

#include "core/json.h"

namespace sfumato {
namespace {

using std::filesystem::path;

/// transformers' SPECIAL_TOKENS_ATTRIBUTES, whose order determines the ids of new tokens.
constexpr std::array kRoleNames = {"bos_token", "eos_token", "unk_token", "sep_token",
                                   "pad_token", "cls_token", "mask_token"};

constexpr std::int64_t kMostExtraIds = 10'000;

[[noreturn]] void refuse_tokens(const path& file, const std::string& what) {
  throw std::runtime_error(file.string() + ": " + what);
}

/// Parses a token of a config: its text, or an object with "content" and flags.
SpecialToken parse_token(const Json& json, const path& file) {
  if (json.is_string()) return {.content = json.get<std::string>()};
  if (!json.is_object() || !json.contains("content") || !json["content"].is_string())
    refuse_tokens(file, "a token is " + json.dump() + "; expected a string or an object with \"content\"");
  return {.content = json["content"].get<std::string>(),
          .normalized = value_or(json, "normalized", false),
          .single_word = value_or(json, "single_word", false),
          .lstrip = value_or(json, "lstrip", false),
          .rstrip = value_or(json, "rstrip", false)};
}

Json read_object(const path& file) {
  auto json = read_json(file);
  if (!json.is_object()) refuse_tokens(file, "expected a JSON object");
  return json;
}

std::int64_t parse_id(const Json& json, const std::string& content, const path& file) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int32_t>::max();
  const auto id = json.is_number_integer() ? json.get<std::int64_t>() : -1;
  if (id < 0 || id > kLargest) refuse_tokens(file, "the id of \"" + content + "\" is " + json.dump());
  return id;
}

std::int64_t read_max_length(const Json& json, const path& file) {
  const auto found = json.find("model_max_length");
  // transformers writes 1e30 for "unknown"; nothing can be padded to that.
  const double length = found != json.end() && found->is_number() ? found->get<double>() : 0.0;
  if (length < 2 || length > 1e6)
    refuse_tokens(file, "'model_max_length' is " + (found == json.end() ? "missing" : found->dump()) +
                            "; expected the number of tokens that the text encoder takes");
  return static_cast<std::int64_t>(length);
}

bool has_content(const std::vector<SpecialToken>& tokens, const std::string& content) {
  return std::any_of(tokens.begin(), tokens.end(), [&](const SpecialToken& token) { return token.content == content; });
}

void read_roles(const Json& json, const path& file, TokenizerConfig& config) {
  for (const auto* role : kRoleNames)
    if (const auto found = json.find(role); found != json.end() && !found->is_null())
      config.roles[role] = parse_token(*found, file);
}

bool is_role(const std::string& key) {
  return std::find(kRoleNames.begin(), kRoleNames.end(), key) != kRoleNames.end();
}

/// Reads a list of tokens, or an object of names and tokens.
void read_extra(const Json& json, const std::string& key, const path& file, TokenizerConfig& config) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return;
  if (!found->is_array() && !found->is_object())
    refuse_tokens(file, "'" + key + "' is " + found->dump() + "; expected a list");
  for (const auto& item : *found)
    if (auto token = parse_token(item, file); !has_content(config.extra, token.content))
      config.extra.push_back(std::move(token));
}

void read_further_tokens(const Json& json, const path& file, TokenizerConfig& config) {
  for (const auto& [key, value] : json.items())
    if (key.ends_with("_token") && !is_role(key) && value.is_string()) config.extra.push_back(parse_token(value, file));
  read_extra(json, "additional_special_tokens", file, config);
  read_extra(json, "extra_special_tokens", file, config);
}

/// Adds a token; it replaces a token of the same id from an earlier file.
void add(SpecialToken token, TokenizerConfig& config) {
  std::erase_if(config.added, [&](const SpecialToken& other) { return other.id == token.id; });
  config.added.push_back(std::move(token));
}

void read_decoder(const Json& decoder, const path& file, TokenizerConfig& config) {
  for (const auto& [key, json] : decoder.items()) {
    auto token = parse_token(json, file);
    const bool digits = !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
    if (!digits) refuse_tokens(file, "added_tokens_decoder has the key \"" + key + "\"; expected an id");
    token.id = std::stoll(key);
    add(std::move(token), config);
  }
}

/// Reads added_tokens.json: {"<cat-toy>": 49408}. Tokens that are not special are matched in normalised text.
void read_added_tokens(const path& file, TokenizerConfig& config) {
  const auto is_special = [&](const std::string& content) {
    return has_content(config.extra, content) ||
           std::any_of(config.roles.begin(), config.roles.end(),
                       [&](const auto& role) { return role.second.content == content; });
  };
  const auto tokens = read_object(file);
  for (const auto& [content, id] : tokens.items())
    add({.content = content, .normalized = !is_special(content), .id = parse_id(id, content, file)}, config);
}

void read_tokenizer_json(const path& file, TokenizerConfig& config) {
  const auto json = read_object(file);
  for (const auto& item : value_or(json, "added_tokens", std::vector<Json>())) {
    auto token = parse_token(item, file);
    token.id = parse_id(item.is_object() ? item.value("id", Json()) : Json(), token.content, file);
    add(std::move(token), config);
  }
}

void read_legacy_files(const path& folder, TokenizerConfig& config) {
  const auto map_path = folder / "special_tokens_map.json";
  const auto exists = [](const path& file) { return std::filesystem::exists(file); };
  const auto map = exists(map_path) ? read_object(map_path) : Json::object();
  read_roles(map, map_path, config);
  read_extra(map, "extra_special_tokens", map_path, config);
  if (exists(folder / "added_tokens.json")) read_added_tokens(folder / "added_tokens.json", config);
  if (exists(folder / "tokenizer.json")) read_tokenizer_json(folder / "tokenizer.json", config);
  // Last: transformers 5 does not count these as special tokens of added_tokens.json.
  read_extra(map, "additional_special_tokens", map_path, config);
}

}  // namespace

TokenizerConfig read_tokenizer_config(const path& folder, const std::map<std::string, std::string>& defaults) {
  const auto file = folder / "tokenizer_config.json";
  const auto json = read_object(file);
  TokenizerConfig config;
  config.model_max_length = read_max_length(json, file);
  config.extra_ids = value_or(json, "extra_ids", config.extra_ids);
  if (config.extra_ids < 0 || config.extra_ids > kMostExtraIds)
    refuse_tokens(file, "'extra_ids' is " + std::to_string(config.extra_ids) + "; expected 0 to " +
                            std::to_string(kMostExtraIds));
  for (const auto& [role, content] : defaults) config.roles[role] = {.content = content};
  read_roles(json, file, config);
  read_further_tokens(json, file, config);
  const auto decoder = json.find("added_tokens_decoder");
  if (decoder != json.end() && decoder->is_object())
    read_decoder(*decoder, file, config);
  else
    read_legacy_files(folder, config);
  for (auto& [role, token] : config.roles)
    for (const auto& added : config.added)
      if (added.content == token.content) token = added;
  std::sort(config.added.begin(), config.added.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return config;
}

std::vector<SpecialToken> assign_ids(TokenizerConfig& config, std::int64_t vocabulary_size, const TokenId& id_of) {
  auto tokens = config.added;
  auto next = vocabulary_size;
  for (const auto& token : tokens) next = std::max(next, token.id + 1);
  const auto id_for = [&](SpecialToken& token) {
    const auto known = std::find_if(tokens.begin(), tokens.end(),
                                    [&](const SpecialToken& other) { return other.content == token.content; });
    if (known != tokens.end()) {
      token.id = known->id;
      known->normalized = token.normalized;
      return;
    }
    const auto id = id_of(token.content);
    token.id = id ? *id : next++;
    tokens.push_back(token);
  };
  // If two roles have the same content, `normalized` of the later one applies.
  for (const auto* role : kRoleNames)
    if (const auto found = config.roles.find(role); found != config.roles.end()) id_for(found->second);
  for (auto& token : config.extra)
    if (!has_content(tokens, token.content)) id_for(token);
  return tokens;
}

}  // namespace sfumato
