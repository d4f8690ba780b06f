#include <gtest/gtest.h>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "parity/compare.h"
#include "systems/stable_diffusion/adapters.h"
#include "systems/stable_diffusion/prompt_encoding.h"

namespace sfumato {
namespace {

// As lora_reference.py has it.
constexpr const char* kPrompt = "a photo of a <cat-toy>, brushwork, in oldfilm";
constexpr const char* kPromptXl = "a photo in watercolour";

std::shared_ptr<Tokenizer> tokenizer_named(const std::string& name) {
  return load_tokenizer(std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer" / name);
}

StableDiffusion model_with(std::vector<TextEncoder> encoders) {
  return {
      .text_encoders = std::move(encoders), .unet = nullptr, .vae = nullptr, .schedule = Schedule(ScheduleConfig())};
}

TextEncoder first_encoder(ClipStates states) {
  const auto network = from_pretrained<CLIPTextModelImpl>(parity_folder() / "words" / "text_encoder", {});
  return make_text_encoder(tokenizer_named("clip"), network, states);
}

StableDiffusion model_of_words() {
  return model_with({first_encoder(ClipStates::last)});
}

StableDiffusion xl_model_of_words() {
  const auto second =
      from_pretrained<CLIPTextModelWithProjectionImpl>(parity_folder() / "words" / "text_encoder_2", {});
  return model_with({first_encoder(ClipStates::penultimate),
                     make_text_encoder(tokenizer_named("open_clip"), second, ClipStates::penultimate)});
}

EncodedText encoded_by(const StableDiffusion& model, const std::string& prompt) {
  const torch::NoGradGuard no_gradients;
  std::vector<std::string> warnings;
  return encode_texts(model.text_encoders, {prompt}, {.reads_weights = false}, warnings).at(prompt);
}

torch::Tensor states_of(const StableDiffusion& model, const std::string& prompt) {
  const torch::NoGradGuard no_gradients;
  const auto& encoder = model.text_encoders.front();
  return encoder.encode(torch::tensor(encoder.tokenizer->encode(prompt).ids, torch::kInt64).unsqueeze(0), 0).states;
}

TEST(EmbeddingsParity, APromptWithThemIsEncodedAsDiffusersDoes) {
  const SafetensorsFile expected(parity_folder() / "words-expected.safetensors");
  const auto folder = parity_folder() / "words";
  auto model = model_of_words();
  EXPECT_LT(relative_error(states_of(model, kPrompt), expected.tensor("plain")), kLayerTolerance);
  add_to(model, {.embeddings = {folder / "learned_embeds.safetensors", folder / "brushwork.safetensors",
                                folder / "oldfilm.pt"}});
  EXPECT_LT(relative_error(states_of(model, kPrompt), expected.tensor("added")), kLayerTolerance);
  // The order of the words counts.
  EXPECT_GT(relative_error(states_of(model, "a photo of a <cat-toy>, oldfilm, in brushwork"), expected.tensor("added")),
            100 * kLayerTolerance);
}

TEST(EmbeddingsParity, AFileForBothTextEncodersIsEncodedAsDiffusersDoes) {
  const SafetensorsFile expected(parity_folder() / "words-expected.safetensors");
  auto model = xl_model_of_words();
  const auto plain = encoded_by(model, kPromptXl);
  add_to(model, {.embeddings = {parity_folder() / "words" / "watercolour.safetensors"}});
  const auto added = encoded_by(model, kPromptXl);
  EXPECT_LT(relative_error(added.states, expected.tensor("xl")), kLayerTolerance);
  EXPECT_LT(relative_error(added.pooled, expected.tensor("xl_pooled")), kLayerTolerance);
  EXPECT_GT(relative_error(plain.states, expected.tensor("xl")), 100 * kLayerTolerance);
  EXPECT_GT(relative_error(plain.pooled, expected.tensor("xl_pooled")), 100 * kLayerTolerance);
}

}  // namespace
}  // namespace sfumato
