#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  /// Reads spiece.model or, if there is none, tokenizer.json (unigram_json.h), and the files of read_tokenizer_config.
  /// Throws std::runtime_error naming the file and the fault.
  explicit T5Tokenizer(const std::filesystem::path& folder);
  ~T5Tokenizer() override;

  Tokens encode(const std::string& text) const override;
  std::vector<std::int64_t> text_ids(const std::string& text) const override;
  SpecialIds special_ids() const override;
  std::int64_t max_length() const override { return max_length_; }

 private:
  struct Piece {
    std::int64_t id;
    std::size_t begin;  // start of its text in bytes
  };
  /// Text as the model normalises it, and the starts of its pieces in it and in the original text.
  struct NormalText {
    std::string text;
    std::vector<std::pair<std::size_t, std::size_t>> begins;
    std::size_t origin(std::size_t position) const;
  };
  std::vector<Piece> pieces(const std::string& text) const;
  /// Appends the pieces of `text`, which contains no special token and begins at `offset` of the whole text.
  void append_pieces(std::string_view text, std::size_t offset, std::vector<Piece>& pieces) const;
  /// Returns SentencePiece's pieces, and fills `normal` if it is given.
  std::vector<Piece> encoded(std::string_view text, std::size_t offset, NormalText* normal = nullptr) const;
  std::optional<std::int64_t> piece_id(const std::string& piece) const;

  /// Returns the path of the file that it read.
  std::filesystem::path load(const std::filesystem::path& folder);

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  std::vector<SpecialToken> special_tokens_;
  bool has_normalized_tokens_ = false;
  std::int64_t max_length_, pad_id_, eos_id_;
};

}  // namespace sfumato
