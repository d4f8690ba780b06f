#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/byte_pair_encoding.h"
#include "tokenizer/regex.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokenizer_config.h"

namespace sfumato {

/// CLIP's tokenizer as in transformers (CLIPTokenizer, without ftfy): NFC, white space collapsed to one space, lower
/// case, words by CLIP's pattern, byte pair encoding, between bos and eos.
class CLIPTokenizer final : public Tokenizer {
 public:
  /// Reads vocab.json and merges.txt (or tokenizer.json) and the files of read_tokenizer_config. Throws
  /// std::runtime_error naming the file and the fault.
  explicit CLIPTokenizer(const std::filesystem::path& folder);

  /// `cut` is decoded from the ids that did not fit: lower case, with spaces between words.
  Tokens encode(const std::string& text) const override;
  std::vector<std::int64_t> text_ids(const std::string& text) const override;
  SpecialIds special_ids() const override;
  std::int64_t max_length() const override { return config_.model_max_length; }
  /// Describes how the vocabulary or the merges differ from those of `other`; "" if they do not.
  std::string difference(const CLIPTokenizer& other) const { return encoding_.difference(other.encoding_); }
  /// Matches `word` in upper or lower case, but not within a longer word.
  void add_word(const std::string& word, std::int64_t first_id, std::int64_t count) override;
  void remove_word(const std::string& word) override;

 private:
  std::int64_t role_id(const std::string& role) const;
  void encode_words(std::string_view text, std::vector<std::int64_t>& ids) const;
  std::string normalize(std::string_view text) const;

  TokenizerConfig config_;
  BytePairEncoding encoding_;
  std::vector<SpecialToken> special_tokens_;
  Regex words_, byte_level_words_;
};

}  // namespace sfumato
