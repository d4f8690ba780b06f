#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "models/clip_text_model.h"
#include "models/t5_encoder_model.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {

/// Output of a text encoder for token ids [N, L].
struct EncodedText {
  torch::Tensor states;  ///< [N, L, D]
  torch::Tensor pooled;  ///< [N, P], of an encoder with a projection; else undefined
};

/// Text encoder of a pipeline, with its tokenizer.
struct TextEncoder {
  std::shared_ptr<Tokenizer> tokenizer;
  /// The network: CLIPTextModelImpl, CLIPTextModelWithProjectionImpl or T5EncoderModelImpl.
  std::shared_ptr<torch::nn::Module> module;
  /// Encodes ids [N, L] int64 on the model's device. Skips the last `clip_skip` layers of CLIP, 0 or more.
  std::function<EncodedText(const torch::Tensor& ids, std::int64_t clip_skip)> encode;
  /// Number of layers that can be skipped; 0 for T5, whose states are always the last ones.
  std::int64_t layers = 0;
  /// Returns the number of token embeddings, including those of added words.
  std::function<std::int64_t()> vocabulary_size;
};

/// CLIP's hidden states that a pipeline uses without skipped layers.
enum class ClipStates {
  last,         ///< Stable Diffusion 1 and 2: the last layer's, normalised
  penultimate,  ///< Stable Diffusion XL: the last but one layer's, not normalised
};

TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer, const std::shared_ptr<T5EncoderModelImpl>& model);
TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer, std::shared_ptr<CLIPTextModelImpl> model,
                              ClipStates states);
TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer,
                              std::shared_ptr<CLIPTextModelWithProjectionImpl> model, ClipStates states);

/// Returns the encoder with weights that rest on the CPU, where they are, and compute on `device`.
TextEncoder offloaded(TextEncoder encoder, torch::Device device);

}  // namespace sfumato
