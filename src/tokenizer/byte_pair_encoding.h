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

/// GPT-2's words, which byte pairs are merged in. White space is Unicode's: PCRE2's \s counts U+180E in as well.
inline constexpr const char* kByteLevelWords =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|)"
    R"(\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+)";

/// Byte-level byte pair encoding (Sennrich et al. 2016), with a mark at the end of a word ("</w>" of CLIP) or without
/// one ("" of GPT-2).
class BytePairEncoding {
 public:
  /// Reads vocab.json and merges.txt or, where these are missing, tokenizer.json, which transformers 5 writes in their
  /// place. Throws std::runtime_error naming the file and the fault. Bytes without a token become `unknown`.
  BytePairEncoding(const std::filesystem::path& folder, const std::string& unknown, std::string end_of_word);

  /// Appends the ids of one word, in time n log n of its length.
  void encode(std::string_view word, std::vector<std::int64_t>& ids) const;

  /// Returns the bytes of ids, with a space after each end-of-word mark; ids above the vocabulary are skipped.
  std::string decode(const std::vector<std::int64_t>& ids) const;

  /// Returns the id of a whole token; empty if there is none.
  std::optional<std::int64_t> id(const std::string& token) const;

  /// Describes how the vocabulary or the merges differ from those of `other`; "" if they do not.
  std::string difference(const BytePairEncoding& other) const;

  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }

 private:
  using Id = std::int32_t;
  struct Merge {
    std::int32_t rank;
    Id result;
    bool operator==(const Merge&) const = default;
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

  std::string end_of_word_;
  std::unordered_map<std::string, Id> ids_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::uint64_t, Merge> merges_;  // by left id, right id
  std::array<Id, 256> inner_{}, last_{};             // of each byte, inside a word and at its end
};

}  // namespace sfumato
