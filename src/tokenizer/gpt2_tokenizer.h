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

/// GPT-2's tokenizer (Radford et al. 2019; transformers' GPT2Tokenizer): words by GPT-2's pattern, byte pair encoding,
/// nothing before or after a text. With `do_lower_case` in tokenizer_config.json the text is lower-cased first, as
/// GLIDE's released code does; transformers has no such key.
class GPT2Tokenizer final : public Tokenizer {
 public:
  /// Reads vocab.json and merges.txt (or tokenizer.json) and what read_tokenizer_config reads. The padding is
  /// <|endoftext|> unless the folder names another token. Throws std::runtime_error naming the file and the fault.
  explicit GPT2Tokenizer(const std::filesystem::path& folder);

  Tokens encode(const std::string& text) const override;
  std::vector<std::int64_t> text_ids(const std::string& text) const override;
  SpecialIds special_ids() const override;
  std::int64_t max_length() const override { return config_.model_max_length; }

  /// True if the folder's tokenizer_config.json has this class.
  static bool is_in(const std::filesystem::path& folder);

 private:
  TokenizerConfig config_;
  BytePairEncoding encoding_;
  std::vector<SpecialToken> special_tokens_;
  Regex words_;
  bool lower_case_;
};

}  // namespace sfumato
