#include "tokenizer/prompt_chunks.h"

#include <optional>
#include <stdexcept>

namespace sfumato {
namespace {

/// Default of comma_padding_backtrack in AUTOMATIC1111's web UI.
constexpr std::size_t kCommaReach = 20;

class Chunker {
 public:
  Chunker(const SpecialIds& special, std::int64_t length)
      : special_(special), length_(length), room_(length - (special.bos ? 2 : 1)) {
    if (room_ < 1)
      throw std::invalid_argument("a text encoder of " + std::to_string(length) + " tokens: expected room for a text");
  }

  void add(const PromptToken& token) {
    if (token.id == special_.comma) {
      comma_ = current_.size();
    } else if (is_full() && comma_ && current_.size() - *comma_ <= kCommaReach) {
      close_behind_comma();
    }
    if (is_full()) close();
    current_.push_back(token);
  }

  void close() {
    PromptChunk chunk;
    if (special_.bos) chunk.ids.push_back(*special_.bos);
    chunk.weights.assign(chunk.ids.size(), 1);
    for (const auto& token : current_) {
      chunk.ids.push_back(token.id);
      chunk.weights.push_back(static_cast<float>(token.weight));
    }
    chunk.ids.push_back(special_.eos);
    chunk.ids.resize(static_cast<std::size_t>(length_), special_.pad);
    chunk.weights.resize(static_cast<std::size_t>(length_), 1);
    chunks_.push_back(std::move(chunk));
    current_.clear();
    comma_.reset();
  }

  std::vector<PromptChunk> finish() {
    if (!current_.empty() || chunks_.empty()) close();
    return std::move(chunks_);
  }

 private:
  bool is_full() const { return current_.size() == static_cast<std::size_t>(room_); }

  void close_behind_comma() {
    const auto behind = current_.begin() + static_cast<std::ptrdiff_t>(*comma_) + 1;
    PromptSection moved(behind, current_.end());
    current_.erase(behind, current_.end());
    close();
    current_ = std::move(moved);
  }

  SpecialIds special_;
  std::int64_t length_, room_;
  PromptSection current_;
  std::optional<std::size_t> comma_;  // position of the last comma in `current_`
  std::vector<PromptChunk> chunks_;
};

}  // namespace

std::vector<PromptSection> tokenize(const Tokenizer& tokenizer, const std::vector<WeightedText>& texts) {
  std::vector<PromptSection> sections(1);
  for (const auto& [text, weight, is_break] : texts) {
    if (is_break) {
      sections.emplace_back();
      continue;
    }
    for (const auto id : tokenizer.text_ids(text)) sections.back().push_back({id, weight});
  }
  return sections;
}

std::vector<PromptChunk> make_chunks(const std::vector<PromptSection>& sections, const SpecialIds& special,
                                     std::int64_t length) {
  Chunker chunker(special, length);
  for (std::size_t i = 0; i < sections.size(); ++i) {
    if (i > 0) chunker.close();
    for (const auto& token : sections[i]) chunker.add(token);
  }
  return chunker.finish();
}

}  // namespace sfumato
