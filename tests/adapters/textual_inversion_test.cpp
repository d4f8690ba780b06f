#include "adapters/textual_inversion.h"

#include <gtest/gtest.h>

#include "checkpoints/files.h"
#include "checkpoints/safetensors.h"
#include "checkpoints/torch_save.h"

namespace sfumato {
namespace {

using Words = std::vector<std::string>;

TextualInversion read_inversion(const std::map<std::string, torch::Tensor>& tensors) {
  const auto path = fresh_folder() / "my-cat.safetensors";
  write_safetensors(path, tensors);
  return read_textual_inversion(path);
}

TEST(TextualInversion, EmbParamsAreNamedByTheFile) {
  const auto vectors = torch::randn({3, 4});
  const auto inversion = read_inversion({{"emb_params", vectors.to(torch::kFloat16)}});
  EXPECT_EQ(inversion.words, Words{"my-cat"});
  ASSERT_EQ(inversion.embeddings.size(), 1U);
  EXPECT_TRUE(torch::equal(inversion.embeddings[0], vectors.to(torch::kFloat16).to(torch::kFloat32)));
}

TEST(TextualInversion, DiffusersTensorIsNamedByItsWordAndByTheFile) {
  const auto vector = torch::randn({4});
  const auto inversion = read_inversion({{"<cat-toy>", vector}});
  EXPECT_EQ(inversion.words, (Words{"my-cat", "<cat-toy>"}));
  EXPECT_TRUE(torch::equal(inversion.embeddings.at(0), vector.unsqueeze(0)));
}

TEST(TextualInversion, StableDiffusionXLsHasVectorsForBothEncoders) {
  const auto l = torch::randn({2, 4}), g = torch::randn({2, 6});
  const auto inversion = read_inversion({{"clip_g", g}, {"clip_l", l}});
  ASSERT_EQ(inversion.embeddings.size(), 2U);
  EXPECT_TRUE(torch::equal(inversion.embeddings[0], l));
  EXPECT_TRUE(torch::equal(inversion.embeddings[1], g));
}

TEST(TextualInversion, TheWebUisPickleHasANameOfItsOwn) {
  using namespace pickled;
  const auto path = fresh_folder() / "file.pt";
  const auto vectors =
      tensor(storage("0", number(6)), number(0), tuple(number(2) + number(3)), tuple(number(3) + number(1)));
  std::string bytes;
  for (int i = 0; i < 6; ++i) bytes += bytes_of(static_cast<float>(i));
  write_torch_save(path,
                   program(text("string_to_token") + "}(" + text("*") + number(265) + "u" + text("string_to_param") +
                           "}(" + text("*") + vectors + "u" + text("name") + text("style") + text("step") + number(9)),
                   {{"0", bytes}});
  const auto inversion = read_textual_inversion(path);
  EXPECT_EQ(inversion.words, (Words{"file", "style"}));
  EXPECT_TRUE(torch::equal(inversion.embeddings.at(0), torch::arange(6, torch::kFloat32).view({2, 3})));
}

TEST(TextualInversion, RefusesWhatIsNone) {
  const auto refusal = [](const std::map<std::string, torch::Tensor>& tensors) {
    return error_of([&] { read_inversion(tensors); });
  };
  EXPECT_NE(refusal({{"a.weight", torch::ones({2, 2})}, {"b.weight", torch::ones({2, 2})}}).find("it holds 2 tensors"),
            std::string::npos);
  EXPECT_NE(refusal({{"emb_params", torch::ones({2, 2, 2})}}).find("is [2, 2, 2], expected [vectors, width]"),
            std::string::npos);
  EXPECT_NE(refusal({{"emb_params", torch::ones({0, 4})}}).find("expected [vectors, width]"), std::string::npos);
  EXPECT_NE(refusal({{"emb_params", torch::ones({2, 2}, torch::kInt64)}}).find("no floating-point"), std::string::npos);
  EXPECT_NE(refusal({{"clip_l", torch::ones({1, 4})}, {"clip_g", torch::ones({2, 6})}}).find("different numbers"),
            std::string::npos);
}

}  // namespace
}  // namespace sfumato
