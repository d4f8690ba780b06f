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

/// The tokens between two BREAKs.
using PromptSection = std::vector<PromptToken>;

/// What a text encoder takes at once. Both lists have the tokenizer's max_length.
struct PromptChunk {
  std::vector<std::int64_t> ids;  ///< special tokens and padding included
  std::vector<float> weights;     ///< theirs is 1
};

/// Each stretch tokenized by itself; one section at least.
std::vector<PromptSection> tokenize(const Tokenizer& tokenizer, const std::vector<WeightedText>& texts);

/// A prompt of any length, cut as AUTOMATIC1111's web UI cuts it: a chunk has as many tokens as fit beside bos and eos
/// into `length`; where the next one would be within 20 tokens behind a comma, it starts there instead. A section
/// starts a chunk, and there is always one. Throws std::invalid_argument where `length` has no room for a token.
std::vector<PromptChunk> make_chunks(const std::vector<PromptSection>& sections, const SpecialIds& special,
                                     std::int64_t length);

}  // namespace sfumato
