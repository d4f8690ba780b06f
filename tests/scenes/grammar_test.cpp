#include "scenes/grammar.h"

#include <gtest/gtest.h>

namespace sfumato {
namespace {

TEST(Grammar, TheArticleFollowsTheSound) {
  EXPECT_EQ(with_article("cat"), "a cat");
  EXPECT_EQ(with_article("apple"), "an apple");
  EXPECT_EQ(with_article("hourglass"), "an hourglass");
  EXPECT_EQ(with_article("unicorn"), "a unicorn");
  EXPECT_EQ(with_article("umbrella"), "an umbrella");
  EXPECT_EQ(with_article("ufo"), "a ufo");
}

TEST(Grammar, PluralsOfWords) {
  const std::vector<std::pair<std::string, std::string>> pairs{{"cat", "cats"},
                                                               {"fox", "foxes"},
                                                               {"peach", "peaches"},
                                                               {"daisy", "daisies"},
                                                               {"key", "keys"},
                                                               {"tomato", "tomatoes"},
                                                               {"piano", "pianos"},
                                                               {"mouse", "mice"},
                                                               {"sheep", "sheep"},
                                                               {"woman", "women"},
                                                               {"policewoman", "policewomen"},
                                                               {"snowman", "snowmen"},
                                                               {"leaf", "leaves"},
                                                               {"bus", "buses"}};
  for (const auto& [one, many] : pairs) EXPECT_EQ(pluralise(one), many);
}

TEST(Grammar, ThePluralOfAPhraseIsThatOfItsHead) {
  EXPECT_EQ(pluralise("cup of coffee"), "cups of coffee");
  EXPECT_EQ(pluralise("man in a suit"), "men in a suit");
  EXPECT_EQ(pluralise("alarm clock"), "alarm clocks");
  EXPECT_EQ(pluralise("slice of watermelon"), "slices of watermelon");
}

TEST(Grammar, TheListsOwnPluralWins) {
  EXPECT_EQ(plural_of({.text = "cactus", .plural = "cacti"}), "cacti");
  EXPECT_EQ(plural_of({.text = "dog"}), "dogs");
}

TEST(Grammar, MassNounsTakeNoArticle) {
  EXPECT_EQ(one_of({.text = "bread", .mass = true}, ""), "bread");
  EXPECT_EQ(one_of({.text = "scissors", .mass = true}, "red"), "red scissors");
  EXPECT_EQ(one_of({.text = "apple"}, "red"), "a red apple");
  EXPECT_EQ(one_of({.text = "sofa"}, "orange"), "an orange sofa");
}

}  // namespace
}  // namespace sfumato
