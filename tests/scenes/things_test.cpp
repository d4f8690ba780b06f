#include "scenes/things.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

namespace sfumato {
namespace {

class ListFile : public testing::Test {
 protected:
  std::filesystem::path path_ = std::filesystem::path(testing::TempDir()) / "list.tsv";

  std::vector<Thing> read(const std::string& text) {
    std::ofstream(path_) << text;
    return read_things(path_);
  }

  std::string refusal(const std::string& text) {
    try {
      read(text);
    } catch (const std::runtime_error& error) {
      return error.what();
    }
    return "accepted";
  }
};

TEST_F(ListFile, LinesOfOneNameAreOneThing) {
  const auto things = read(
      "# comment\n"
      "cat\t\tanimal\tcommon,weight=2.5\t\temoji:1F408\tkitty\n"
      "sofa\t\tfurniture\tseat=0.4\tred\tdrawing:sofa_red.svg\tcouch,settee\n"
      "cat\t\tanimal\tphoto\tgrey\tclipart:cat.svg\t~milk\n");
  ASSERT_EQ(things.size(), 2);
  EXPECT_TRUE(things[0].common);
  EXPECT_EQ(things[0].weight, 2.5);
  ASSERT_EQ(things[0].images.size(), 2);
  EXPECT_TRUE(things[0].images[1].photo);
  EXPECT_EQ(things[0].images[1].colour, "grey");
  EXPECT_TRUE(things[0].images[1].synonyms[0].mass);
  EXPECT_EQ(things[0].images[1].synonyms[0].text, "milk");
  EXPECT_FALSE(things[0].carries());
  EXPECT_TRUE(things[1].carries());
  EXPECT_EQ(things[1].images[0].seat, .4);
  EXPECT_EQ(things[1].images[0].synonyms.size(), 2);
}

TEST_F(ListFile, FaultsAreNamedWithTheirLine) {
  EXPECT_NE(refusal("cat\t\tanimal\n").find(":1: 3 columns, expected 7"), std::string::npos);
  EXPECT_NE(refusal("#\ncat\t\tanimal\tcomon\t\temoji:1F408\t\n").find(":2: unknown flag 'comon'"), std::string::npos);
  EXPECT_NE(refusal("cat\t\tanimal\tseat=2\t\temoji:1F408\t\n").find("'seat=2'"), std::string::npos);
  EXPECT_NE(refusal("cat\t\tanimal\t\t\tcat.svg\t\n").find("emoji:1F408"), std::string::npos);
  EXPECT_NE(refusal("").find("no things"), std::string::npos);
}

TEST(ShippedList, HasEightHundredThingsAndTheEverydayOnes) {
  const auto things = read_things(std::filesystem::path(SFUMATO_SOURCE_DIR) / "data/things/things.tsv");
  EXPECT_GE(things.size(), 800);
  std::set<std::string> common, sources;
  for (const auto& thing : things) {
    if (thing.common) common.insert(thing.name.text);
    for (const auto& image : thing.images) {
      EXPECT_TRUE(sources.insert(image.source).second) << image.source << " stands twice";
    }
  }
  EXPECT_GE(common.size(), 200);
  for (const char* name : {"cat", "dog", "sofa", "chair", "table", "house", "tree", "car", "apple", "banana"}) {
    EXPECT_TRUE(common.contains(name)) << name;
  }
}

}  // namespace
}  // namespace sfumato
