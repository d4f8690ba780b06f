#include "tokenizer/t5_tokenizer.h"

#include <sentencepiece_processor.h>

#include <algorithm>
#include <stdexcept>

#include "tokenizer/tokenizer_config.h"
#include "tokenizer/unigram_json.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

constexpr std::string_view kSpace = "\u2581";  // SentencePiece's

/// Adds the model's control and unknown pieces, which transformers matches in the text itself.
void add_control_pieces(const sentencepiece::SentencePieceProcessor& processor, std::vector<SpecialToken>& tokens) {
  for (int id = 0; id < processor.GetPieceSize(); ++id)
    if (processor.IsControl(id) || processor.IsUnknown(id))
      tokens.push_back({.content = processor.IdToPiece(id), .id = id});
}

/// Returns the sentinels, of which <extra_id_0> has the largest id (Raffel et al. 2020, section 3.1.4).
std::vector<SpecialToken> sentinels(std::int64_t first, std::int64_t count) {
  std::vector<SpecialToken> tokens;
  for (std::int64_t i = 0; i < count; ++i)
    tokens.push_back({.content = "<extra_id_" + std::to_string(i) + ">", .id = first + count - 1 - i});
  return tokens;
}

/// Replaces U+0085, at which transformers splits words and which SentencePiece's usual normalisation keeps. As many
/// spaces as bytes preserve all positions.
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
  auto config = read_tokenizer_config(folder, {{"eos_token", "</s>"}, {"unk_token", "<unk>"}, {"pad_token", "<pad>"}});
  for (const auto* role : {"eos_token", "pad_token"})
    if (const auto& piece = config.roles.at(role).content; !piece_id(piece))
      throw std::runtime_error(path.string() + ": has no piece \"" + piece + "\"");
  const std::int64_t size = processor_->GetPieceSize();
  const bool has_own = path.extension() == ".model" && !std::filesystem::exists(folder / "tokenizer.json");
  const auto extra_ids = has_own ? sentinels(size, config.extra_ids) : std::vector<SpecialToken>();
  const auto id_of = [&](const std::string& content) -> std::optional<std::int64_t> {
    for (const auto& token : extra_ids)
      if (token.content == content) return token.id;
    return piece_id(content);
  };
  const auto tokens = assign_ids(config, size + static_cast<std::int64_t>(extra_ids.size()), id_of);
  special_tokens_.insert(special_tokens_.begin(), tokens.begin(), tokens.end());
  special_tokens_.insert(special_tokens_.end(), extra_ids.begin(), extra_ids.end());
  add_control_pieces(*processor_, special_tokens_);
  for (auto& token : special_tokens_) {
    if (!token.normalized) continue;
    NormalText normal;
    encoded(token.content, 0, &normal);
    token.content = normal.text;
    has_normalized_tokens_ = true;
  }
  max_length_ = config.model_max_length;
  eos_id_ = config.roles.at("eos_token").id;
  pad_id_ = config.roles.at("pad_token").id;
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

std::optional<std::int64_t> T5Tokenizer::piece_id(const std::string& piece) const {
  const int id = processor_->PieceToId(piece);
  return processor_->IdToPiece(id) == piece ? std::optional<std::int64_t>(id) : std::nullopt;
}

std::size_t T5Tokenizer::NormalText::origin(std::size_t position) const {
  std::size_t origin = 0;
  for (const auto& [here, given] : begins)
    if (here <= position) origin = given;
  return origin;
}

std::vector<T5Tokenizer::Piece> T5Tokenizer::encoded(std::string_view text, std::size_t offset,
                                                     NormalText* normal) const {
  sentencepiece::ImmutableSentencePieceText encoded;
  const auto status = processor_->Encode(absl::string_view(text.data(), text.size()), encoded.mutable_proto());
  if (!status.ok()) throw std::runtime_error("SentencePiece: " + status.ToString());
  std::vector<Piece> pieces;
  for (const auto& piece : encoded.pieces()) {
    pieces.push_back({piece.id(), offset + piece.begin()});
    if (normal == nullptr) continue;
    normal->begins.emplace_back(normal->text.size(), pieces.back().begin);
    std::string_view rest = piece.piece();
    if (normal->text.empty() && rest.starts_with(kSpace)) rest.remove_prefix(kSpace.size());
    for (auto space = rest.find(kSpace); space != std::string_view::npos; space = rest.find(kSpace)) {
      normal->text.append(rest.substr(0, space)).append(" ");
      rest.remove_prefix(space + kSpace.size());
    }
    normal->text.append(rest);
  }
  return pieces;
}

void T5Tokenizer::append_pieces(std::string_view text, std::size_t offset, std::vector<Piece>& pieces) const {
  NormalText normal;
  const auto plain = encoded(text, offset, has_normalized_tokens_ ? &normal : nullptr);
  const auto segments = split_at_special_tokens(normal.text, special_tokens_, /*normalized=*/true);
  const bool has_token =
      std::any_of(segments.begin(), segments.end(), [](const Segment& part) { return part.id >= 0; });
  if (!has_token) {
    pieces.insert(pieces.end(), plain.begin(), plain.end());
    return;
  }
  for (const auto& segment : segments) {
    const auto position = static_cast<std::size_t>(segment.text.data() - normal.text.data());
    if (segment.id >= 0) {
      pieces.push_back({segment.id, normal.origin(position)});
    } else {
      for (const auto& piece : encoded(segment.text, position))
        pieces.push_back({piece.id, normal.origin(piece.begin)});
    }
  }
}

std::vector<T5Tokenizer::Piece> T5Tokenizer::pieces(const std::string& text) const {
  require_utf8(text);
  std::vector<Piece> pieces;
  const auto spaced = next_lines_to_spaces(text);
  for (const auto& segment : split_at_special_tokens(spaced, special_tokens_, /*normalized=*/false)) {
    const auto offset = static_cast<std::size_t>(segment.text.data() - spaced.data());
    if (segment.id >= 0)
      pieces.push_back({segment.id, offset});
    else
      append_pieces(segment.text, offset, pieces);
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
  tokens.length = static_cast<std::int64_t>(tokens.ids.size());
  tokens.ids.resize(static_cast<std::size_t>(max_length_), pad_id_);
  if (kept < all.size()) tokens.cut = text.substr(all[kept].begin);
  return tokens;
}

}  // namespace sfumato
