#include "tokenizer/byte_pair_encoding.h"

#include <utf8proc.h>

#include <queue>
#include <sstream>
#include <stdexcept>

#include "core/files.h"

namespace sfumato {
namespace {

constexpr std::int32_t kDead = -2;

/// Returns GPT-2's printable character for each byte: printable Latin-1 is unchanged, the rest is U+0100 and up.
std::array<utf8proc_int32_t, 256> byte_characters() {
  std::array<utf8proc_int32_t, 256> characters{};
  utf8proc_int32_t next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    characters[static_cast<std::size_t>(byte)] = printable ? byte : next++;
  }
  return characters;
}

std::string encode_character(utf8proc_int32_t character) {
  std::array<utf8proc_uint8_t, 4> bytes{};
  const auto size = utf8proc_encode_char(character, bytes.data());
  return {bytes.begin(), bytes.begin() + size};
}

std::uint64_t pair_key(std::int32_t left, std::int32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

/// A merge that was possible when it was queued, ordered by rank, then from left to right.
struct Candidate {
  std::int32_t rank, position;
  std::int32_t left, right;  // ids when queued; if they have changed since, the candidate is stale
  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : position > other.position;
  }
};

}  // namespace

BytePairEncoding::BytePairEncoding(const std::filesystem::path& folder, const std::string& unknown,
                                   std::string end_of_word)
    : end_of_word_(std::move(end_of_word)) {
  read_files(folder);
  const auto unknown_id = id(unknown);
  if (!unknown_id) {
    throw std::runtime_error(folder.string() + ": its vocabulary has no token \"" + unknown + "\" (the unk_token)");
  }
  const auto id_or_unknown = [&](const std::string& token) { return static_cast<Id>(id(token).value_or(*unknown_id)); };
  const auto characters = byte_characters();
  for (std::size_t byte = 0; byte < characters.size(); ++byte) {
    const auto character = encode_character(characters[byte]);
    inner_[byte] = id_or_unknown(character);
    last_[byte] = id_or_unknown(character + end_of_word_);
  }
}

void BytePairEncoding::read_files(const std::filesystem::path& folder) {
  if (!std::filesystem::exists(folder / "vocab.json")) return read_tokenizer_json(folder / "tokenizer.json");
  add_vocabulary(read_json(folder / "vocab.json"), folder / "vocab.json");
  read_merges(folder / "merges.txt");
}

void BytePairEncoding::read_tokenizer_json(const std::filesystem::path& path) {
  const auto json = read_json(path);
  const auto model = json.is_object() ? json.value("model", Json::object()) : Json();
  if (!model.is_object() || value_or<std::string>(model, "type", "") != "BPE")
    throw std::runtime_error(path.string() + ": its model is no byte pair encoding (type BPE)");
  add_vocabulary(model.value("vocab", Json()), path);
  for (const auto& merge : model.value("merges", Json::array())) {
    // A pair or, in older versions, its two halves in one string.
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      add_merge(merge[0].get<std::string>(), merge[1].get<std::string>(), path);
    } else {
      const auto line = merge.is_string() ? merge.get<std::string>() : merge.dump();
      const auto space = line.find(' ');
      add_merge(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1), path);
    }
  }
}

void BytePairEncoding::add_vocabulary(const Json& json, const std::filesystem::path& path) {
  if (!json.is_object()) throw std::runtime_error(path.string() + ": expected an object of tokens and ids");
  constexpr std::int64_t kLargest = 10'000'000;
  for (const auto& [token, value] : json.items()) {
    const auto id = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    if (id < 0 || id >= kLargest) {
      throw std::runtime_error(path.string() + ": the id of \"" + token + "\" is " + value.dump());
    }
    if (static_cast<std::size_t>(id) >= tokens_.size()) tokens_.resize(static_cast<std::size_t>(id) + 1);
    tokens_[static_cast<std::size_t>(id)] = token;
    ids_[token] = static_cast<Id>(id);
  }
}

void BytePairEncoding::read_merges(const std::filesystem::path& path) {
  std::istringstream lines(read_file(path));
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.starts_with("#version")) continue;
    const auto space = line.find(' ');
    add_merge(line.substr(0, space), space == std::string::npos ? "" : line.substr(space + 1), path);
  }
}

void BytePairEncoding::add_merge(const std::string& first, const std::string& second,
                                 const std::filesystem::path& path) {
  const auto left = id(first), right = id(second), result = id(first + second);
  if (!left || !right || !result)
    throw std::runtime_error(path.string() + ": \"" + first + " " + second +
                             "\" is no pair of tokens of the vocabulary, or merges to none");
  const auto rank = static_cast<std::int32_t>(merges_.size());
  merges_.try_emplace(pair_key(static_cast<Id>(*left), static_cast<Id>(*right)), Merge{rank, static_cast<Id>(*result)});
}

std::optional<std::int64_t> BytePairEncoding::id(const std::string& token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional<std::int64_t>(found->second);
}

std::string BytePairEncoding::difference(const BytePairEncoding& other) const {
  for (std::size_t id = 0; id < tokens_.size(); ++id) {
    if (id < other.tokens_.size() && tokens_[id] == other.tokens_[id]) continue;
    return "the token " + Json(tokens_[id]).dump(-1, ' ', false, Json::error_handler_t::replace) + " of id " +
           std::to_string(id);
  }
  if (tokens_.size() != other.tokens_.size()) return std::to_string(tokens_.size()) + " tokens";
  return merges_ == other.merges_ ? "" : "merges of its own";
}

const BytePairEncoding::Merge* BytePairEncoding::find_merge(Id left, Id right) const {
  const auto found = merges_.find(pair_key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairEncoding::merge_all(std::vector<Symbol>& symbols) const {
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto at = [&](std::int32_t i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  const auto consider = [&](std::int32_t i) {
    if (i < 0 || at(i).next < 0) return;
    const auto left = at(i).id, right = at(at(i).next).id;
    if (const auto* merge = find_merge(left, right)) queue.push({merge->rank, i, left, right});
  };
  for (std::int32_t i = 0; i < static_cast<std::int32_t>(symbols.size()); ++i) consider(i);
  while (!queue.empty()) {
    const auto best = queue.top();
    queue.pop();
    auto& symbol = at(best.position);
    const bool stale =
        symbol.previous == kDead || symbol.id != best.left || symbol.next < 0 || at(symbol.next).id != best.right;
    if (stale) continue;
    auto& swallowed = at(symbol.next);
    symbol.id = find_merge(best.left, best.right)->result;
    symbol.next = swallowed.next;
    swallowed.previous = kDead;
    if (symbol.next >= 0) at(symbol.next).previous = best.position;
    consider(symbol.previous);
    consider(best.position);
  }
}

void BytePairEncoding::encode(std::string_view word, std::vector<std::int64_t>& ids) const {
  if (word.empty()) return;
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  const auto size = static_cast<std::int32_t>(word.size());
  for (std::int32_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(word[static_cast<std::size_t>(i)]);
    symbols.push_back({(i + 1 < size ? inner_ : last_)[byte], i - 1, i + 1 < size ? i + 1 : -1});
  }
  merge_all(symbols);
  for (std::int32_t i = 0; i >= 0; i = symbols[static_cast<std::size_t>(i)].next) {
    ids.push_back(symbols[static_cast<std::size_t>(i)].id);
  }
}

std::string BytePairEncoding::decode(const std::vector<std::int64_t>& ids) const {
  std::unordered_map<utf8proc_int32_t, char> bytes;
  const auto characters = byte_characters();
  for (std::size_t byte = 0; byte < characters.size(); ++byte) bytes[characters[byte]] = static_cast<char>(byte);
  std::string text;
  for (const auto id : ids) {
    if (id < 0 || id >= size()) continue;
    std::string_view token = tokens_[static_cast<std::size_t>(id)];
    const bool ends_word = !end_of_word_.empty() && token.ends_with(end_of_word_);
    if (ends_word) token.remove_suffix(end_of_word_.size());
    for (std::size_t i = 0; i < token.size();) {
      utf8proc_int32_t character = 0;
      const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(token.data()) + i,
                                           static_cast<utf8proc_ssize_t>(token.size() - i), &character);
      if (length <= 0) break;
      const auto found = bytes.find(character);
      if (found != bytes.end()) text += found->second;
      i += static_cast<std::size_t>(length);
    }
    if (ends_word) text += ' ';
  }
  return text;
}

}  // namespace sfumato
