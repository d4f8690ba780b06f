#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tokenizer/special_tokens.h"

namespace sfumato {

/// Contents of T5's tokenizer.json, which transformers 5 writes in place of spiece.model.
struct UnigramTokenizer {
  /// The equivalent file of SentencePiece, a serialised ModelProto: pieces with their scores (Kudo 2018) and the table
  /// of its normaliser.
  std::string model;
  /// Tokens that are matched in the text itself, with ids.
  std::vector<SpecialToken> added;
};

/// True if the file's model is of type Unigram. Throws std::runtime_error if it is no JSON.
bool is_unigram_json(const std::filesystem::path& path);

/// Throws std::runtime_error naming the file and the setting that SentencePiece does not support.
UnigramTokenizer read_unigram_json(const std::filesystem::path& path);

}  // namespace sfumato
