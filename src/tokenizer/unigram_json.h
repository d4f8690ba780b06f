#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "tokenizer/special_tokens.h"

namespace sfumato {

/// What a tokenizer.json of T5 says, as transformers 5 writes it in place of spiece.model.
struct UnigramTokenizer {
  /// The same as SentencePiece writes it, a serialised ModelProto: pieces with their scores (Kudo 2018) and the table
  /// of its normaliser.
  std::string model;
  /// Tokens that are found in the text itself, with ids.
  std::vector<SpecialToken> added;
};

/// Whether the file says that its model is a unigram one. Throws std::runtime_error where it is no JSON.
bool is_unigram_json(const std::filesystem::path& path);

/// Throws std::runtime_error naming the file and what of it SentencePiece would not do.
UnigramTokenizer read_unigram_json(const std::filesystem::path& path);

}  // namespace sfumato
