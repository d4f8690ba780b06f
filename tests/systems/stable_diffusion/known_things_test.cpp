#include "systems/stable_diffusion/vocabulary.h"

#include <gtest/gtest.h>

#include <fstream>

namespace sfumato {
namespace {

const Vocabulary kThings({{"cat", {"cats", "kitten"}}, {"ice cream", {}}, {"mouse", {"mice"}}});

TEST(Vocabulary, AThingItsSynonymsAndItsPluralsPass) {
  for (const char* prompt : {"a cat", "TWO CATS!", "a kitten,sleeping", "three mice", "an ice-cream", "\u732b cat"}) {
    EXPECT_EQ(kThings.note_for(prompt), "") << prompt;
  }
}

TEST(Vocabulary, APromptWithoutThemIsToldSome) {
  for (const char* prompt : {"a galaxy", "concatenate", "ice on cream", "\u732b", "cat\u00e9gorie"}) {
    const auto note = kThings.note_for(prompt);
    EXPECT_NE(note.find("none of the 3 things"), std::string::npos) << prompt;
    EXPECT_NE(note.find("cat, ice cream, mouse"), std::string::npos) << note;
  }
}

TEST(Vocabulary, ABlankPromptAndAModelWithoutAListPass) {
  EXPECT_EQ(kThings.note_for(""), "");
  EXPECT_EQ(kThings.note_for(" \n"), "");
  EXPECT_EQ(Vocabulary().note_for("a galaxy"), "");
}

TEST(Vocabulary, ADamagedListIsRefusedByName) {
  const auto path = std::filesystem::path(testing::TempDir()) / "things.json";
  std::ofstream(path) << R"(["cat"])";
  try {
    read_vocabulary(path);
    ADD_FAILURE() << "accepted";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("things.json"), std::string::npos) << error.what();
  }
  std::filesystem::remove(path);
  EXPECT_EQ(read_vocabulary(path).note_for("a galaxy"), "");
}

}  // namespace
}  // namespace sfumato
