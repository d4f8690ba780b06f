#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tokenizer/special_tokens.h"

namespace sfumato {

/// Configuration files of a tokenizer, merged as transformers 5 does: an added_tokens_decoder in tokenizer_config.json
/// overrides all others. Without one, special_tokens_map.json takes precedence over tokenizer_config.json, and
/// added_tokens.json and tokenizer.json add tokens.
struct TokenizerConfig {
  std::int64_t model_max_length = 0;
  /// Tokens by role: bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token. Only `added` sets
  /// their ids.
  std::map<std::string, SpecialToken> roles;
  /// Tokens with the file's ids. transformers 5 counts up from the vocabulary's size instead, which differs if the ids
  /// have gaps.
  std::vector<SpecialToken> added;
  /// Further special tokens: other keys that end in _token, additional_special_tokens, extra_special_tokens.
  std::vector<SpecialToken> extra;
  /// T5's sentinels <extra_id_0>, ...
  std::int64_t extra_ids = 100;
};

/// `defaults` is the content of each role that the folder does not set. Throws std::runtime_error naming a file that
/// cannot be read or holds no tokens, and if there is no usable model_max_length.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder,
                                      const std::map<std::string, std::string>& defaults);

/// Returns the id of a token in the vocabulary.
using TokenId = std::function<std::optional<std::int64_t>(const std::string& content)>;

/// Returns all tokens of `config`, the first of each content, with ids: that of a role or a further token comes from
/// the vocabulary or, if it is not there, follows the largest id. Sets the ids of `config.roles`. `vocabulary_size`
/// excludes added tokens.
std::vector<SpecialToken> assign_ids(TokenizerConfig& config, std::int64_t vocabulary_size, const TokenId& id_of);

}  // namespace sfumato
