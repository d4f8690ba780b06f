#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <memory>

#include "models/clip_text_model.h"
#include "models/t5_encoder_model.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {

/// What a text encoder says of token ids [N, L].
struct EncodedText {
  torch::Tensor states;  ///< [N, L, D]
  torch::Tensor pooled;  ///< [N, P], of an encoder with a projection; else undefined
};

/// A text encoder of a pipeline, with the tokenizer that belongs to it.
struct TextEncoder {
  std::shared_ptr<Tokenizer> tokenizer;
  /// The network itself: CLIPTextModelImpl, CLIPTextModelWithProjectionImpl or T5EncoderModelImpl.
  std::shared_ptr<torch::nn::Module> module;
  /// ids [N, L] int64 on the model's device. `clip_skip` layers of CLIP are left out at the end, 0 or more.
  std::function<EncodedText(const torch::Tensor& ids, std::int64_t clip_skip)> encode;
  /// Layers that can be left out; 0 for T5, whose states are always the last ones.
  std::int64_t layers = 0;
  /// Number of token embeddings, those of added words included.
  std::function<std::int64_t()> vocabulary_size;
};

/// Which of CLIP's hidden states a pipeline takes where no layer is left out.
enum class ClipStates {
  last,         ///< Stable Diffusion 1 and 2: the last layer's, normalised
  penultimate,  ///< Stable Diffusion XL: the last but one layer's, as they are
};

TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer, std::shared_ptr<T5EncoderModelImpl> model);
TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer, std::shared_ptr<CLIPTextModelImpl> model,
                              ClipStates states);
TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer,
                              std::shared_ptr<CLIPTextModelWithProjectionImpl> model, ClipStates states);

}  // namespace sfumato
