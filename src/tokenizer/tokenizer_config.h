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

/// The files beside a tokenizer's vocabulary, merged as transformers 5 merges them: an added_tokens_decoder in
/// tokenizer_config.json alone counts; without one special_tokens_map.json goes before tokenizer_config.json, and
/// added_tokens.json and tokenizer.json add tokens.
struct TokenizerConfig {
  std::int64_t model_max_length = 0;
  /// By role: bos_token, eos_token, unk_token, sep_token, pad_token, cls_token, mask_token. Ids unset except by
  /// `added`.
  std::map<std::string, SpecialToken> roles;
  /// Tokens with ids. The file's ids hold: transformers 5 counts up from the vocabulary's size instead, which differs
  /// where ids have gaps.
  std::vector<SpecialToken> added;
  /// Further special tokens: other keys that end in _token, additional_special_tokens, extra_special_tokens.
  std::vector<SpecialToken> extra;
  /// T5's sentinels <extra_id_0>, ...
  std::int64_t extra_ids = 100;
};

/// `defaults` gives each role's content where the folder is silent. Throws std::runtime_error naming the file that
/// cannot be read or holds no tokens, and where there is no usable model_max_length.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder,
                                      const std::map<std::string, std::string>& defaults);

/// The id of a token in the vocabulary.
using TokenId = std::function<std::optional<std::int64_t>(const std::string& content)>;

/// All tokens of `config`, the first of each content, with ids: a role's or a further token's comes from the vocabulary
/// or, where that lacks it, follows the largest id. Sets the ids of `config.roles`. `vocabulary_size` is without added
/// tokens.
std::vector<SpecialToken> assign_ids(TokenizerConfig& config, std::int64_t vocabulary_size, const TokenId& id_of);

}  // namespace sfumato
