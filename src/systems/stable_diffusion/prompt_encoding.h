#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "systems/stable_diffusion/text_encoder.h"
#include "tokenizer/prompt_chunks.h"

namespace sfumato {

/// Options for encoding texts to states.
struct PromptEncoding {
  /// Enables weights, BREAK and chunks (tokenizer/prompt_weights.h, prompt_chunks.h). Otherwise the literal text is
  /// truncated for the text encoder, as in diffusers' encode_prompt.
  bool reads_weights = false;
  /// Number of CLIP's last layers to skip.
  std::int64_t clip_skip = 0;
  torch::Device device = torch::kCPU;
};

/// Encodes chunks [C][L]. Concatenates the states to [1, C L, D]; each chunk's are multiplied by its weights
/// and then rescaled to their previous mean (the 'original' emphasis of AUTOMATIC1111's web UI). The pooled state is
/// the first chunk's, [1, P].
EncodedText encode_chunks(const TextEncoder& encoder, const std::vector<PromptChunk>& chunks,
                          const PromptEncoding& options);

/// Encodes each text with all `encoders`: states concatenated to [1, L, D], pooled state of the last. All share one L:
/// missing chunks are those of the empty text. Adds a line to `warnings` for truncated text.
std::map<std::string, EncodedText> encode_texts(const std::vector<TextEncoder>& encoders,
                                                const std::vector<std::string>& texts, const PromptEncoding& options,
                                                std::vector<std::string>& warnings);

}  // namespace sfumato
