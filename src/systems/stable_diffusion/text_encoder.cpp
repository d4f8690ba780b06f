#include "systems/stable_diffusion/text_encoder.h"

#include <utility>

#include "core/offload.h"

namespace sfumato {
namespace {

/// Returns the selected states of `output`. As in AUTOMATIC1111's web UI, an inner layer's are normalised if the
/// last one's would be.
template <class Clip>
torch::Tensor picked(Clip& model, const CLIPTextModelOutput& output, ClipStates states, std::int64_t clip_skip) {
  if (states == ClipStates::last && clip_skip == 0) return output.last_hidden_state;
  const auto left_out = static_cast<std::size_t>(clip_skip) + (states == ClipStates::penultimate ? 1 : 0);
  TORCH_CHECK(left_out < output.hidden_states.size(), left_out, " layers left out of ",
              output.hidden_states.size() - 1);
  const auto& inner = output.hidden_states[output.hidden_states.size() - 1 - left_out];
  return states == ClipStates::penultimate ? inner : model.normalize(inner);
}

template <class Clip>
TextEncoder clip_encoder(std::shared_ptr<Tokenizer> tokenizer, std::shared_ptr<Clip> model, ClipStates states,
                         bool projects) {
  const auto encode = [model, states, projects](const torch::Tensor& ids, std::int64_t clip_skip) -> EncodedText {
    const auto output = model->forward(ids);
    return {picked(*model, output, states, clip_skip), projects ? output.pooler_output : torch::Tensor()};
  };
  const auto layers = model->config().num_hidden_layers - (states == ClipStates::penultimate ? 1 : 0);
  return {std::move(tokenizer), model, encode, layers, [model] { return model->token_embeddings(); }};
}

}  // namespace

TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer, const std::shared_ptr<T5EncoderModelImpl>& model) {
  const auto encode = [model](const torch::Tensor& ids, std::int64_t) -> EncodedText {
    return {model->forward(ids), {}};
  };
  return {std::move(tokenizer), model, encode, 0, [model] { return model->config().vocab_size; }};
}

TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer, std::shared_ptr<CLIPTextModelImpl> model,
                              ClipStates states) {
  return clip_encoder(std::move(tokenizer), std::move(model), states, /*projects=*/false);
}

TextEncoder make_text_encoder(std::shared_ptr<Tokenizer> tokenizer,
                              std::shared_ptr<CLIPTextModelWithProjectionImpl> model, ClipStates states) {
  return clip_encoder(std::move(tokenizer), std::move(model), states, /*projects=*/true);
}

TextEncoder offloaded(TextEncoder encoder, torch::Device device) {
  const auto weights = std::make_shared<OffloadedWeights>(*encoder.module, device);
  encoder.encode = [weights, encode = encoder.encode](const torch::Tensor& ids, std::int64_t clip_skip) {
    const OffloadedWeights::OnDevice on_device(weights.get());
    return encode(ids, clip_skip);
  };
  return encoder;
}

}  // namespace sfumato
