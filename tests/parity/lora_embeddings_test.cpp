#include <gtest/gtest.h>

#include "checkpoints/load.h"
#include "checkpoints/safetensors.h"
#include "parity/compare.h"
#include "pipelines/additions.h"

namespace sfumato {
namespace {

// As lora_reference.py has it.
constexpr const char* kPrompt = "a photo of a <cat-toy>, brushwork, in oldfilm";

StableDiffusion model_of_words() {
  const auto encoder = from_pretrained<CLIPTextModelImpl>(parity_folder() / "words" / "text_encoder", {});
  std::shared_ptr<Tokenizer> tokenizer =
      load_tokenizer(std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer" / "clip");
  return {.text_encoders = {make_text_encoder(tokenizer, encoder, ClipStates::last)},
          .unet = nullptr,
          .vae = nullptr,
          .schedule = Schedule(ScheduleConfig())};
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

}  // namespace
}  // namespace sfumato
