#pragma once

#include <cstdint>
#include <vector>

#include "tokenizer/prompt_weights.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {

struct PromptToken {
  std::int64_t id = 0;
  double weight = 1;
};

/// Tokens between two BREAKs.
using PromptSection = std::vector<PromptToken>;

/// Input of one call of a text encoder. Both lists have the tokenizer's max_length.
struct PromptChunk {
  std::vector<std::int64_t> ids;  ///< special tokens and padding included
  std::vector<float> weights;     ///< 1 for special tokens and padding
};

/// Tokenizes each stretch separately; returns at least one section.
std::vector<PromptSection> tokenize(const Tokenizer& tokenizer, const std::vector<WeightedText>& texts);

/// Cuts a prompt of any length as AUTOMATIC1111's web UI does: a chunk has as many tokens as fit into `length` beside
/// bos and eos; if it would end within 20 tokens after a comma, it ends at the comma instead. A section starts a new
/// chunk, and there is always one. Throws std::invalid_argument if `length` has no room for a token.
std::vector<PromptChunk> make_chunks(const std::vector<PromptSection>& sections, const SpecialIds& special,
                                     std::int64_t length);

}  // namespace sfumato
