#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "systems/stable_diffusion/text_encoder.h"
#include "tokenizer/prompt_chunks.h"

namespace sfumato {

/// How texts become states.
struct PromptEncoding {
  /// Weights, BREAK and chunks (tokenizer/prompt_weights.h, prompt_chunks.h); without, the text as it stands is cut to
  /// what the text encoder takes, as diffusers' encode_prompt does.
  bool reads_weights = false;
  /// Layers of CLIP that are left out at the end.
  std::int64_t clip_skip = 0;
  torch::Device device = torch::kCPU;
};

/// Chunks [C][L] through an encoder: states one behind the other [1, C L, D], each chunk's multiplied by its weights
/// and then scaled to the mean that it had before (the 'original' emphasis of AUTOMATIC1111's web UI); the first
/// chunk's pooled state [1, P].
EncodedText encode_chunks(const TextEncoder& encoder, const std::vector<PromptChunk>& chunks,
                          const PromptEncoding& options);

/// Each text, encoded by all of `encoders`: states side by side [1, L, D], the last one's pooled. All have one L: who
/// has fewer chunks gets those of the empty text. Adds a line to `warnings` for what was cut.
std::map<std::string, EncodedText> encode_texts(const std::vector<TextEncoder>& encoders,
                                                const std::vector<std::string>& texts, const PromptEncoding& options,
                                                std::vector<std::string>& warnings);

}  // namespace sfumato
