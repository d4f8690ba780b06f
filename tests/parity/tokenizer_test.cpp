#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/json.h"
#include "tokenizer/tokenizer.h"

namespace sfumato {
namespace {

std::filesystem::path golden() {
  return std::getenv("SFUMATO_PARITY_DIR");
}

std::string from_hexadecimal(const std::string& digits) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

class TokenizerParity : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerParity, GivesTransformersIds) {
  const std::string name = GetParam();
  if (!std::filesystem::exists(golden() / name)) GTEST_SKIP() << name << " has no reference here";
  const auto tokenizer = load_tokenizer(golden() / name);
  const auto cases = read_json(golden() / (name + ".json"));
  EXPECT_GE(cases.size(), 200);
  for (const auto& item : cases) {
    const auto text = from_hexadecimal(item["text"].get<std::string>());
    const auto ids = tokenizer->encode(text).ids;
    const auto ties = item["ties"].get<std::vector<std::vector<std::int64_t>>>();
    if (std::find(ties.begin(), ties.end(), ids) != ties.end()) continue;
    EXPECT_EQ(ids, item["ids"].get<std::vector<std::int64_t>>())
        << text.substr(0, 80) << " (" << item["text"].dump().substr(0, 80) << ")";
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, TokenizerParity,
                         testing::Values("t5_trained", "t5_json", "t5_long", "t5_shipped", "clip_plain", "clip_sd1",
                                         "clip_pad_exclamation", "clip_added_tokens", "t5_sentinels", "t5_words",
                                         "clip_words", "clip_words_special", "clip_words_map", "clip_words_map_extra",
                                         "clip_words_config", "clip_words_decoder", "clip_words_json", "gpt2",
                                         "gpt2_json"),
                         [](const auto& info) { return std::string(info.param); });

TEST(T5Tokenizer, CutIsTheTextThatDidNotFit) {
  const auto tokenizer = load_tokenizer(golden() / "t5_trained");
  std::string fits = "cat";
  for (int i = 1; i < 31; ++i) fits += " cat";
  EXPECT_EQ(tokenizer->encode(fits).cut, "");
  const auto cut = tokenizer->encode(fits + " and a Dog\u00e9").cut;
  EXPECT_EQ(cut, " and a Dog\u00e9");
}

}  // namespace
}  // namespace sfumato
