#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace sfumato {

/// A prompt as input of a text encoder.
struct Tokens {
  /// Exactly max_length ids: special tokens, padding and truncation applied.
  std::vector<std::int64_t> ids;
  /// End of the text that did not fit, for a warning; empty if all did.
  std::string cut;
  /// Ids before the padding (the ones of transformers' attention_mask).
  std::int64_t length = 0;
};

/// Ids of a tokenizer with a special meaning.
struct SpecialIds {
  std::optional<std::int64_t> bos;  ///< before a text; T5 has none
  std::int64_t eos = 0;             ///< after a text
  std::int64_t pad = 0;             ///< after eos, up to max_length
  /// A comma at the end of a word, if the vocabulary has it.
  std::optional<std::int64_t> comma;
};

/// Converts text to ids as transformers' tokenizer of the same folder does with padding="max_length", truncation=True.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  /// Throws std::invalid_argument if `text` is not UTF-8.
  virtual Tokens encode(const std::string& text) const = 0;
  /// Returns all ids of `text` alone, without special tokens, padding and truncation. Throws as encode does.
  virtual std::vector<std::int64_t> text_ids(const std::string& text) const = 0;
  virtual SpecialIds special_ids() const = 0;
  /// The tokenizer's model_max_length.
  virtual std::int64_t max_length() const = 0;
  /// Maps `word` in later texts to the ids first_id, ..., first_id + count - 1. Throws std::invalid_argument for a word
  /// that is already in use, and if the tokenizer does not support added words.
  virtual void add_word(const std::string& word, std::int64_t first_id, std::int64_t count) {
    throw std::invalid_argument("the word '" + word + "' cannot be added: only CLIP's tokenizer takes words");
  }
  /// Undoes add_word of the same word.
  virtual void remove_word(const std::string& word) {}
};

/// Loads the tokenizer of a diffusers folder: T5's if it holds spiece.model; GPT-2's if tokenizer_config.json has that
/// class; CLIP's if it holds vocab.json and merges.txt; otherwise the one whose model is in tokenizer.json.
/// Throws std::runtime_error naming the folder and the missing files.
std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder);

}  // namespace sfumato
