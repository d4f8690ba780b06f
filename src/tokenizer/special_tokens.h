#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sfumato {

/// A token that is found in the text as it stands, before the tokenizer's own rules see it.
struct SpecialToken {
  std::string content;
  /// Looked for in the normalised text (in any case, for CLIP) instead of in the text as given.
  bool normalized = false;
  std::int64_t id = -1;
  /// How many ids it stands for: `id` and those after it.
  std::int64_t count = 1;
  /// Not found within a longer word.
  bool single_word = false;
};

/// What tokenizer_config.json and special_tokens_map.json of a folder say, merged as transformers 5 merges them: with
/// an added_tokens_decoder that alone counts, else special_tokens_map.json goes before tokenizer_config.json.
struct TokenizerConfig {
  std::int64_t model_max_length = 0;
  /// By role: bos_token, eos_token, unk_token, pad_token. Ids unset except by added_tokens_decoder.
  std::map<std::string, SpecialToken> roles;
  /// Of added_tokens_decoder, with ids.
  std::vector<SpecialToken> added;
};

/// `defaults` gives each role's content where the folder is silent. Throws std::runtime_error naming the file where
/// tokenizer_config.json cannot be read or has no usable model_max_length.
TokenizerConfig read_tokenizer_config(const std::filesystem::path& folder,
                                      const std::map<std::string, std::string>& defaults);

/// A stretch of text between special tokens, or one of these (id >= 0).
struct Segment {
  std::string_view text;
  std::int64_t id = -1;
  std::int64_t count = 0;

  /// Its ids, where it is a token, at the end of `ids`.
  void append_to(std::vector<std::int64_t>& ids) const {
    for (std::int64_t i = 0; i < count; ++i) ids.push_back(id + i);
  }
};

/// Cuts `text` at the leftmost, then longest, special tokens whose `normalized` flag is as asked. Empty stretches are
/// left out.
std::vector<Segment> split_at_special_tokens(std::string_view text, const std::vector<SpecialToken>& tokens,
                                             bool normalized);

}  // namespace sfumato
