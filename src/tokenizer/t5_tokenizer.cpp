#include "tokenizer/t5_tokenizer.h"

#include <sentencepiece_processor.h>

#include <stdexcept>

#include "tokenizer/unigram_json.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

/// The id of a piece that must be in the model.
std::int64_t require_piece(const sentencepiece::SentencePieceProcessor& processor, const std::string& piece,
                           const std::filesystem::path& path) {
  const int id = processor.PieceToId(piece);
  if (processor.IdToPiece(id) != piece) throw std::runtime_error(path.string() + ": has no piece \"" + piece + "\"");
  return id;
}

/// transformers finds the model's control and unknown pieces, and those of added_tokens_decoder, in the text itself.
std::vector<SpecialToken> collect_special_tokens(const sentencepiece::SentencePieceProcessor& processor,
                                                 const TokenizerConfig& config) {
  auto tokens = config.added;
  for (int id = 0; id < processor.GetPieceSize(); ++id) {
    if (processor.IsControl(id) || processor.IsUnknown(id)) tokens.push_back({processor.IdToPiece(id), false, id});
  }
  return tokens;
}

/// transformers splits words at every white space; SentencePiece's usual normalisation leaves one of them, U+0085.
/// As many spaces as bytes keep positions in place.
std::string next_lines_to_spaces(std::string text) {
  const std::string next_line = "\u0085";
  for (auto at = text.find(next_line); at != std::string::npos; at = text.find(next_line, at)) {
    text.replace(at, next_line.size(), next_line.size(), ' ');
  }
  return text;
}

}  // namespace

T5Tokenizer::T5Tokenizer(const std::filesystem::path& folder)
    : processor_(std::make_unique<sentencepiece::SentencePieceProcessor>()) {
  const auto path = load(folder);
  const auto config = read_tokenizer_config(folder, {{"eos_token", "</s>"}, {"pad_token", "<pad>"}});
  max_length_ = config.model_max_length;
  eos_id_ = require_piece(*processor_, config.roles.at("eos_token").content, path);
  pad_id_ = require_piece(*processor_, config.roles.at("pad_token").content, path);
  for (auto& token : collect_special_tokens(*processor_, config)) special_tokens_.push_back(std::move(token));
}

T5Tokenizer::~T5Tokenizer() = default;

std::filesystem::path T5Tokenizer::load(const std::filesystem::path& folder) {
  auto path = folder / "spiece.model";
  sentencepiece::util::Status status;
  if (std::filesystem::exists(path)) {
    status = processor_->Load(path.string());
  } else {
    path = folder / "tokenizer.json";
    auto unigram = read_unigram_json(path);
    status = processor_->LoadFromSerializedProto(unigram.model);
    special_tokens_ = std::move(unigram.added);
  }
  if (!status.ok()) throw std::runtime_error(path.string() + ": not a SentencePiece model: " + status.ToString());
  return path;
}

std::vector<T5Tokenizer::Piece> T5Tokenizer::pieces(const std::string& text) const {
  require_utf8(text);
  std::vector<Piece> pieces;
  const auto spaced = next_lines_to_spaces(text);
  for (const auto& segment : split_at_special_tokens(spaced, special_tokens_, /*normalized=*/false)) {
    const auto offset = static_cast<std::size_t>(segment.text.data() - spaced.data());
    if (segment.id >= 0) {
      pieces.push_back({segment.id, offset});
      continue;
    }
    sentencepiece::ImmutableSentencePieceText encoded;
    const auto status =
        processor_->Encode(absl::string_view(segment.text.data(), segment.text.size()), encoded.mutable_proto());
    if (!status.ok()) throw std::runtime_error("SentencePiece: " + status.ToString());
    for (const auto& piece : encoded.pieces()) pieces.push_back({piece.id(), offset + piece.begin()});
  }
  return pieces;
}

std::vector<std::int64_t> T5Tokenizer::text_ids(const std::string& text) const {
  std::vector<std::int64_t> ids;
  for (const auto& piece : pieces(text)) ids.push_back(piece.id);
  return ids;
}

SpecialIds T5Tokenizer::special_ids() const {
  SpecialIds special{.bos = std::nullopt, .eos = eos_id_, .pad = pad_id_, .comma = std::nullopt};
  const int comma = processor_->PieceToId(",");
  if (!processor_->IsUnknown(comma)) special.comma = comma;
  return special;
}

Tokens T5Tokenizer::encode(const std::string& text) const {
  const auto all = pieces(text);
  const auto kept = std::min(all.size(), static_cast<std::size_t>(max_length_ - 1));
  Tokens tokens;
  tokens.ids.reserve(static_cast<std::size_t>(max_length_));
  for (std::size_t i = 0; i < kept; ++i) tokens.ids.push_back(all[i].id);
  tokens.ids.push_back(eos_id_);
  tokens.ids.resize(static_cast<std::size_t>(max_length_), pad_id_);
  if (kept < all.size()) tokens.cut = text.substr(all[kept].begin);
  return tokens;
}

}  // namespace sfumato
