#include "tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/json.h"
#include "tokenizer/regex.h"
#include "tokenizer/special_tokens.h"
#include "tokenizer/utf8.h"

namespace sfumato {
namespace {

const std::filesystem::path kClip = std::filesystem::path(SFUMATO_SOURCE_DIR) / "tokenizer" / "clip";

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

std::vector<std::int64_t> head(const Tokens& tokens, std::ptrdiff_t count) {
  return {tokens.ids.begin(), tokens.ids.begin() + count};
}

// Ids of openai/clip-vit-large-patch14, from CLIP's own documentation and tests.
TEST(ClipTokenizer, GivesOpenAisIds) {
  const auto tokenizer = load_tokenizer(kClip);
  EXPECT_EQ(tokenizer->max_length(), 77);
  EXPECT_EQ(head(tokenizer->encode("a photo of a cat"), 7),
            (std::vector<std::int64_t>{49406, 320, 1125, 539, 320, 2368, 49407}));
  EXPECT_EQ(tokenizer->encode("a photo of a cat").ids.size(), 77U);
  EXPECT_EQ(tokenizer->encode("").ids.back(), 49407);
}

TEST(ClipTokenizer, CaseAndWhiteSpaceDoNotMatter) {
  const auto tokenizer = load_tokenizer(kClip);
  EXPECT_EQ(tokenizer->encode("  A\tCAT\n").ids, tokenizer->encode("a cat").ids);
}

TEST(ClipTokenizer, AnAddedWordStandsForItsIdsInAnyCaseAndAmongPunctuation) {
  const auto tokenizer = load_tokenizer(kClip);
  tokenizer->add_word("my-Style_2", 50000, 3);
  const std::vector<std::int64_t> expected = {49406, 320, 2368, 267, 50000, 50001, 50002, 267, 320, 2368, 49407};
  EXPECT_EQ(head(tokenizer->encode("a cat, MY-style_2, a cat"), 11), expected);
}

TEST(ClipTokenizer, AnAddedWordIsNotFoundWithinALongerOne) {
  const auto tokenizer = load_tokenizer(kClip), plain = load_tokenizer(kClip);
  tokenizer->add_word("cat", 50000, 1);
  EXPECT_EQ(tokenizer->encode("cats concat catä 2cat").ids, plain->encode("cats concat catä 2cat").ids);
  EXPECT_EQ(head(tokenizer->encode("(cat)"), 4)[2], 50000);
}

TEST(ClipTokenizer, RefusesAWordThatHasAMeaningAlready) {
  const auto tokenizer = load_tokenizer(kClip);
  tokenizer->add_word("style", 50000, 1);
  for (const auto* word : {"style", "STYLE", "<|endoftext|>", ""})
    EXPECT_NE(message_of([&] { tokenizer->add_word(word, 50001, 1); }).find("has a meaning already"), std::string::npos)
        << word;
}

TEST(ClipTokenizer, CutTellsWhatDidNotFit) {
  const auto tokenizer = load_tokenizer(kClip);
  std::string text;
  for (int i = 0; i < 75; ++i) text += "word ";
  EXPECT_EQ(tokenizer->encode(text).cut, "");
  const auto tokens = tokenizer->encode(text + "and a Dog\u00e9");
  EXPECT_EQ(tokens.cut, "and a dog\u00e9");
  EXPECT_EQ(tokens.ids.size(), 77U);
  EXPECT_EQ(tokens.ids.back(), 49407);
}

TEST(ClipTokenizer, WhatIsNotUtf8IsRefusedWithItsPlace) {
  const auto tokenizer = load_tokenizer(kClip);
  EXPECT_THROW(tokenizer->encode("caf\xe9"), std::invalid_argument);
  EXPECT_EQ(message_of([&] { tokenizer->encode("caf\xe9 noir"); }), "the prompt is not UTF-8: byte 0xe9 at position 3");
}

TEST(Utf8, RefusesSurrogatesOverlongFormsAndWhatIsTooLarge) {
  for (const std::string text : {"\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80", "\xff", "\x80", "\xe2\x82"}) {
    EXPECT_THROW(require_utf8(text), std::invalid_argument) << text;
  }
  EXPECT_NO_THROW(require_utf8(std::string_view("a\0\u00e9\U0010ffff", 8)));
}

TEST(Utf8, LowersCodePointByCodePoint) {
  EXPECT_EQ(to_lower("\u03a3\u0391\u03a3"), "\u03c3\u03b1\u03c3");  // no final sigma
  EXPECT_EQ(to_lower("\u0130"), "i\u0307");
  EXPECT_EQ(to_lower("\u1e9e\u212a"), "\u00dfk");
}

TEST(Utf8, CollapsesUnicodeWhiteSpace) {
  EXPECT_EQ(collapse_white_space("a \t\u3000\u0085b\u200bc\u180ed "), "a b\u200bc\u180ed ");
}

TEST(Utf8, Composes) {
  EXPECT_EQ(to_nfc("e\u0301\u1100\u1161"), "\u00e9\uac00");
}

TEST(SpecialTokens, TheLongestOfTheLeftmostIsTaken) {
  const std::vector<SpecialToken> tokens = {{"<a>", false, 1}, {"<a>b", false, 2}, {"x", true, 3}};
  const auto segments = split_at_special_tokens("x<a>b<a>y", tokens, false);
  ASSERT_EQ(segments.size(), 4U);
  EXPECT_EQ(segments[0].text, "x");
  EXPECT_EQ(segments[0].id, -1);
  EXPECT_EQ(segments[1].id, 2);
  EXPECT_EQ(segments[2].id, 1);
  EXPECT_EQ(segments[3].text, "y");
}

TEST(LoadTokenizer, SaysWhatIsMissing) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "no_tokenizer";
  std::filesystem::create_directories(folder);
  const auto message = message_of([&] { load_tokenizer(folder); });
  EXPECT_NE(message.find(folder.string()), std::string::npos) << message;
  EXPECT_NE(message.find("spiece.model"), std::string::npos) << message;
}

TEST(LoadTokenizer, RefusesABrokenSentencePieceModel) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "broken_tokenizer";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "spiece.model") << "not a model";
  EXPECT_THROW(load_tokenizer(folder), std::runtime_error);
}

TEST(LoadTokenizer, RefusesATokenizerJsonOfOtherRulesThanSentencePieces) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "other_rules";
  std::filesystem::create_directories(folder);
  write_json(folder / "tokenizer_config.json", {{"model_max_length", 9}});
  const auto said = [&](const std::string& pointer, const std::string& value) {
    auto json = Json::parse(R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"},
      "pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "always"},
      "model": {"type": "Unigram", "unk_id": 2, "vocab": [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["a", -1]]}})");
    json[Json::json_pointer(pointer)] = Json::parse(value);
    write_json(folder / "tokenizer.json", nlohmann::ordered_json(json));
    return message_of([&] { load_tokenizer(folder); });
  };
  EXPECT_NE(said("/normalizer", R"({"type": "Lowercase"})").find("normalizer \"Lowercase\""), std::string::npos);
  EXPECT_NE(said("/normalizer", "null").find("normalizer null"), std::string::npos);
  EXPECT_NE(said("/pre_tokenizer/prepend_scheme", R"("never")").find("pre_tokenizer \"Metaspace\""), std::string::npos);
  EXPECT_NE(said("/model/byte_fallback", "true").find("byte_fallback"), std::string::npos);
  EXPECT_NE(said("/normalizer/precompiled_charsmap", R"("A?")").find("base64"), std::string::npos);
  EXPECT_NE(said("/model/vocab", "[[1]]").find("tokenizer.json"), std::string::npos);
  // Three bytes are not a table.
  EXPECT_NE(said("/model/byte_fallback", "false").find("not a SentencePiece model"), std::string::npos);
}

TEST(LoadTokenizer, RefusesAnUnusableLength) {
  const auto folder = std::filesystem::path(testing::TempDir()) / "endless_tokenizer";
  std::filesystem::create_directories(folder);
  for (const auto* file : {"vocab.json", "merges.txt"}) {
    std::filesystem::copy_file(kClip / file, folder / file, std::filesystem::copy_options::overwrite_existing);
  }
  std::ofstream(folder / "tokenizer_config.json") << R"({"model_max_length": 1e30})";
  const auto message = message_of([&] { load_tokenizer(folder); });
  EXPECT_NE(message.find("model_max_length"), std::string::npos) << message;
}

}  // namespace
}  // namespace sfumato
