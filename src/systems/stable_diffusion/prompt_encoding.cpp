#include "systems/stable_diffusion/prompt_encoding.h"

#include <algorithm>
#include <stdexcept>

#include "core/json.h"
#include "core/shortened.h"

namespace sfumato {
namespace {

/// Largest number of bytes of a truncated text in a warning.
constexpr std::size_t kMostShown = 120;

/// Returns one line for any text.
std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Returns the literal text, truncated to one chunk.
PromptChunk whole_chunk(const Tokenizer& tokenizer, const std::string& text, std::vector<std::string>& warnings) {
  const auto tokens = tokenizer.encode(text);
  if (!tokens.cut.empty()) {
    auto warning = "the text encoder takes " + std::to_string(tokenizer.max_length()) +
                   " tokens; left out: " + quoted(shortened(tokens.cut, kMostShown));
    if (tokens.cut.size() > kMostShown) warning += " (" + std::to_string(tokens.cut.size()) + " bytes in all)";
    // Two encoders with one vocabulary truncate at the same place.
    if (std::find(warnings.begin(), warnings.end(), warning) == warnings.end()) warnings.push_back(std::move(warning));
  }
  return {tokens.ids, std::vector<float>(tokens.ids.size(), 1)};
}

std::vector<PromptChunk> chunks_of(const Tokenizer& tokenizer, const std::string& text) {
  return make_chunks(tokenize(tokenizer, parse_weights(text)), tokenizer.special_ids(), tokenizer.max_length());
}

/// Chunks of a text, one list for each encoder.
using ChunkedText = std::vector<std::vector<PromptChunk>>;

void pad(ChunkedText& text, std::size_t count, const std::vector<TextEncoder>& encoders) {
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    if (text[i].size() < count) text[i].resize(count, chunks_of(*encoders[i].tokenizer, "").front());
  }
}

EncodedText encode(const std::vector<TextEncoder>& encoders, const ChunkedText& text, const PromptEncoding& options) {
  EncodedText all;
  std::vector<torch::Tensor> states;
  for (std::size_t i = 0; i < encoders.size(); ++i) {
    const auto encoded = encode_chunks(encoders[i], text[i], options);
    states.push_back(encoded.states);
    if (encoded.pooled.defined()) all.pooled = encoded.pooled;
  }
  all.states = torch::cat(states, -1);
  return all;
}

/// Multiplies `states` [1, L, D] by `weights` [L]. Uses float32, because the mean of many values near zero cancels.
torch::Tensor weighted(const torch::Tensor& states, const std::vector<float>& weights) {
  if (std::all_of(weights.begin(), weights.end(), [](float weight) { return weight == 1; })) return states;
  const auto original = states.to(torch::kFloat32);
  const auto factors = torch::tensor(weights).to(states.device()).view({1, -1, 1});
  const auto raised = original * factors;
  return (raised * (original.mean() / raised.mean())).to(states.scalar_type());
}

/// Throws std::runtime_error for an id without an embedding: the tokenizer's folder adds words missing in the model.
void check_ids(const TextEncoder& encoder, const std::vector<std::int64_t>& ids) {
  const auto largest = *std::max_element(ids.begin(), ids.end());
  if (largest >= encoder.vocabulary_size())
    throw std::runtime_error("the tokenizer gives a word of the prompt the id " + std::to_string(largest) +
                             ", the text encoder has embeddings for 0 to " +
                             std::to_string(encoder.vocabulary_size() - 1));
}

}  // namespace

EncodedText encode_chunks(const TextEncoder& encoder, const std::vector<PromptChunk>& chunks,
                          const PromptEncoding& options) {
  std::vector<torch::Tensor> ids;
  for (const auto& chunk : chunks) {
    check_ids(encoder, chunk.ids);
    ids.push_back(torch::tensor(chunk.ids, torch::kInt64));
  }
  const auto encoded = encoder.encode(torch::stack(ids).to(options.device), options.clip_skip);  // [C, L, D], [C, P]
  std::vector<torch::Tensor> states;
  for (std::size_t i = 0; i < chunks.size(); ++i)
    states.push_back(weighted(encoded.states.narrow(0, static_cast<std::int64_t>(i), 1), chunks[i].weights));
  return {torch::cat(states, 1), encoded.pooled.defined() ? encoded.pooled.narrow(0, 0, 1) : torch::Tensor()};
}

std::map<std::string, EncodedText> encode_texts(const std::vector<TextEncoder>& encoders,
                                                const std::vector<std::string>& texts, const PromptEncoding& options,
                                                std::vector<std::string>& warnings) {
  std::map<std::string, ChunkedText> chunked;
  std::size_t longest = 0;
  for (const auto& text : texts) {
    auto& lists = chunked[text];
    if (!lists.empty()) continue;
    for (const auto& encoder : encoders) {
      const auto& tokenizer = *encoder.tokenizer;
      lists.push_back(options.reads_weights ? chunks_of(tokenizer, text)
                                            : std::vector{whole_chunk(tokenizer, text, warnings)});
      longest = std::max(longest, lists.back().size());
    }
  }
  std::map<std::string, EncodedText> encoded;
  for (auto& [text, lists] : chunked) {
    pad(lists, longest, encoders);
    encoded[text] = encode(encoders, lists, options);
  }
  return encoded;
}

}  // namespace sfumato
