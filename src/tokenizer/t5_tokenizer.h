#pragma once

#include <memory>
#include <vector>

#include "tokenizer/special_tokens.h"
#include "tokenizer/tokenizer.h"

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace sfumato {

/// T5's tokenizer: SentencePiece (Kudo and Richardson 2018) followed by </s>; transformers' T5Tokenizer.
class T5Tokenizer final : public Tokenizer {
 public:
  /// Reads spiece.model or, where there is none, tokenizer.json (unigram_json.h), and tokenizer_config.json. Throws
  /// std::runtime_error naming the file and the fault.
  explicit T5Tokenizer(const std::filesystem::path& folder);
  ~T5Tokenizer() override;

  Tokens encode(const std::string& text) const override;
  std::vector<std::int64_t> text_ids(const std::string& text) const override;
  SpecialIds special_ids() const override;
  std::int64_t max_length() const override { return max_length_; }

 private:
  struct Piece {
    std::int64_t id;
    std::size_t begin;  // where its text starts, in bytes
  };
  std::vector<Piece> pieces(const std::string& text) const;

  /// Returns the path of what it read.
  std::filesystem::path load(const std::filesystem::path& folder);

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  std::vector<SpecialToken> special_tokens_;
  std::int64_t max_length_, pad_id_, eos_id_;
};

}  // namespace sfumato
