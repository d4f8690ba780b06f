#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/json.h"

namespace sfumato {

/// Byte-level byte pair encoding with "</w>" at the end of a word (Sennrich et al. 2016, as CLIP uses it).
class BytePairEncoding {
 public:
  /// Reads vocab.json and merges.txt or, if these are missing, tokenizer.json, which transformers 5 writes instead.
  /// Throws std::runtime_error naming the file and the fault. Bytes without a token become `unknown`.
  BytePairEncoding(const std::filesystem::path& folder, const std::string& unknown);

  /// Appends the ids of one word, in time n log n of its length.
  void encode(std::string_view word, std::vector<std::int64_t>& ids) const;

  /// Returns the bytes of ids, with a space after each word; ids above the vocabulary are skipped.
  std::string decode(const std::vector<std::int64_t>& ids) const;

  /// Returns the id of a whole token; empty if there is none.
  std::optional<std::int64_t> id(const std::string& token) const;

  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }

 private:
  using Id = std::int32_t;
  struct Merge {
    std::int32_t rank;
    Id result;
  };
  struct Symbol {
    Id id;
    std::int32_t previous, next;  // -1 at the ends; `previous` is kDead for one that was merged away
  };

  void read_files(const std::filesystem::path& folder);
  void read_tokenizer_json(const std::filesystem::path& path);
  void add_vocabulary(const Json& tokens, const std::filesystem::path& path);
  void read_merges(const std::filesystem::path& path);
  void add_merge(const std::string& first, const std::string& second, const std::filesystem::path& path);
  const Merge* find_merge(Id left, Id right) const;
  void merge_all(std::vector<Symbol>& symbols) const;

  std::unordered_map<std::string, Id> ids_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::uint64_t, Merge> merges_;  // by left id, right id
  std::array<Id, 256> inner_{}, last_{};             // of each byte, inside a word and at its end
};

}  // namespace sfumato
