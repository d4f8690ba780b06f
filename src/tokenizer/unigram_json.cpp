#include "tokenizer/unigram_json.h"

#include <bit>
#include <cstdint>
#include <set>
#include <stdexcept>

#include "core/base64.h"
#include "core/json.h"

namespace sfumato {
namespace {

// Field numbers and kinds of pieces in sentencepiece_model.proto.
constexpr int kPieces = 1, kNormalizerSpec = 3;
constexpr int kPieceText = 1, kPieceScore = 2, kPieceType = 3;
constexpr int kPrecompiledCharsmap = 2;
enum class PieceType { normal = 1, unknown = 2, control = 3 };

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

/// Appends a field in Protocol Buffers' wire format: its number and wire type, then its value.
void append_bytes(std::string& out, int field, const std::string& value) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3 | 2);
  append_varint(out, value.size());
  out += value;
}

void append_float(std::string& out, int field, float value) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3 | 5);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(bits >> shift);
}

void append_number(std::string& out, int field, int value) {
  append_varint(out, static_cast<std::uint64_t>(field) << 3);
  append_varint(out, static_cast<std::uint64_t>(value));
}

/// Returns a step of the tokenizer, or the steps of a sequence.
std::vector<Json> steps_of(const Json& tokenizer, const std::string& key, const std::string& list) {
  const auto& step = tokenizer.at(key);
  if (step.is_object() && step.at("type") == "Sequence") return step.at(list).get<std::vector<Json>>();
  return {step};
}

[[noreturn]] void refuse_step(const std::string& key, const Json& step, const std::string& expected) {
  throw std::runtime_error(key + " " + (step.is_object() ? step.at("type").dump() : step.dump()) + ", expected " +
                           expected);
}

/// Returns the normaliser's table. Strip and Replace, which remove spaces, are skipped: SentencePiece does the same.
std::string charsmap_of(const Json& tokenizer) {
  std::string charsmap;
  for (const auto& step : steps_of(tokenizer, "normalizer", "normalizers")) {
    const auto type = step.is_object() ? step.at("type").get<std::string>() : "";
    if (type == "Precompiled")
      charsmap = from_base64(step.at("precompiled_charsmap").get<std::string>(), "precompiled_charsmap");
    else if (type != "Strip" && type != "Replace")
      refuse_step("normalizer", step, "Precompiled");
  }
  if (charsmap.empty()) throw std::runtime_error("its normalizer has no precompiled_charsmap");
  return charsmap;
}

/// Requires that a space precedes every word, including the first.
void check_words(const Json& tokenizer) {
  bool marks_spaces = false;
  for (const auto& step : steps_of(tokenizer, "pre_tokenizer", "pretokenizers")) {
    const auto type = step.is_object() ? step.at("type").get<std::string>() : "";
    const bool marks = type == "Metaspace" && value_or<std::string>(step, "prepend_scheme", "always") == "always" &&
                       value_or(step, "add_prefix_space", true);
    if (!marks && type != "WhitespaceSplit") refuse_step("pre_tokenizer", step, "WhitespaceSplit and Metaspace");
    marks_spaces = marks_spaces || marks;
  }
  if (!marks_spaces) throw std::runtime_error("pre_tokenizer without Metaspace");
}

std::vector<SpecialToken> added_tokens(const Json& tokenizer) {
  std::vector<SpecialToken> added;
  for (const auto& token : value_or(tokenizer, "added_tokens", std::vector<Json>()))
    added.push_back({.content = token.at("content").get<std::string>(),
                     .normalized = value_or(token, "normalized", false),
                     .id = token.at("id").get<std::int64_t>(),
                     .single_word = value_or(token, "single_word", false),
                     .lstrip = value_or(token, "lstrip", false),
                     .rstrip = value_or(token, "rstrip", false)});
  return added;
}

std::string piece_of(const std::string& text, float score, PieceType type) {
  std::string piece;
  append_bytes(piece, kPieceText, text);
  append_float(piece, kPieceScore, score);
  append_number(piece, kPieceType, static_cast<int>(type));
  return piece;
}

/// Builds the model. Pieces that are added tokens are matched only in the text, before SentencePiece.
std::string model_of(const Json& tokenizer, const std::vector<SpecialToken>& added) {
  const auto& unigram = tokenizer.at("model");
  if (value_or(unigram, "byte_fallback", false)) throw std::runtime_error("byte_fallback true is not supported");
  std::set<std::string> special;
  for (const auto& token : added) special.insert(token.content);
  const auto unknown = unigram.at("unk_id").get<std::size_t>();
  std::string model;
  std::size_t id = 0;
  for (const auto& entry : unigram.at("vocab")) {
    const auto text = entry.at(0).get<std::string>();
    const auto type = id++ == unknown          ? PieceType::unknown
                      : special.contains(text) ? PieceType::control
                                               : PieceType::normal;
    append_bytes(model, kPieces, piece_of(text, entry.at(1).get<float>(), type));
  }
  std::string normalizer;
  append_bytes(normalizer, kPrecompiledCharsmap, charsmap_of(tokenizer));
  append_bytes(model, kNormalizerSpec, normalizer);
  return model;
}

}  // namespace

bool is_unigram_json(const std::filesystem::path& path) {
  const auto json = read_json(path);
  return json.is_object() && json.contains("model") && json["model"].is_object() &&
         value_or<std::string>(json["model"], "type", "") == "Unigram";
}

UnigramTokenizer read_unigram_json(const std::filesystem::path& path) {
  const auto json = read_json(path);
  try {
    check_words(json);
    UnigramTokenizer tokenizer{.model = {}, .added = added_tokens(json)};
    tokenizer.model = model_of(json, tokenizer.added);
    return tokenizer;
  } catch (const std::exception& error) {
    throw std::runtime_error(path.string() + ": " + error.what());
  }
}

}  // namespace sfumato
