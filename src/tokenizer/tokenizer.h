#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace sfumato {

/// A prompt as a text encoder takes it.
struct Tokens {
  /// Exactly max_length ids: special tokens, padding and truncation applied.
  std::vector<std::int64_t> ids;
  /// The end of the text that did not fit, for a warning; empty where all did.
  std::string cut;
  /// Ids before the padding (the ones of transformers' attention_mask).
  std::int64_t length = 0;
};

/// Ids of a tokenizer that mean more than their text.
struct SpecialIds {
  std::optional<std::int64_t> bos;  ///< before a text; T5 has none
  std::int64_t eos = 0;             ///< after it
  std::int64_t pad = 0;             ///< from there to max_length
  /// A comma that ends a word, where a vocabulary has it.
  std::optional<std::int64_t> comma;
};

/// Text to ids, as transformers' tokenizer of the same folder called with padding="max_length", truncation=True.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Throws std::invalid_argument where `text` is not UTF-8.
  virtual Tokens encode(const std::string& text) const = 0;
  /// The ids of `text` alone, however many: without special tokens and padding. Throws as encode does.
  virtual std::vector<std::int64_t> text_ids(const std::string& text) const = 0;
  virtual SpecialIds special_ids() const = 0;
  /// The tokenizer's model_max_length.
  virtual std::int64_t max_length() const = 0;
  /// From now on `word` in a text stands for the ids first_id, ..., first_id + count - 1. Throws std::invalid_argument
  /// for a word that has a meaning already, and where the tokenizer takes no words.
  virtual void add_word(const std::string& word, std::int64_t first_id, std::int64_t count) {
    throw std::invalid_argument("the word '" + word + "' cannot be added: only CLIP's tokenizer takes words");
  }
  /// Takes back add_word of the same word.
  virtual void remove_word(const std::string& word) {}
};

/// The tokenizer of a diffusers folder: T5's where it holds spiece.model; GPT-2's where tokenizer_config.json has that
/// class; CLIP's where it holds vocab.json and merges.txt; else the one whose model is in tokenizer.json.
/// Throws std::runtime_error naming the folder and what is missing.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

}  // namespace sfumato
