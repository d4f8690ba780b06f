#include "scenes/scene_maker.h"

#include <gtest/gtest.h>

#include <map>

#include "scenes/pack_writer.h"

namespace sfumato {
namespace {

std::vector<Thing> four_things() {
  const auto thing = [](const std::string& name, const std::string& group, std::optional<double> seat) {
    Thing it;
    it.name.text = name;
    it.group = group;
    Image image;
    image.source = "drawing:" + name;
    image.seat = seat;
    it.images.push_back(image);
    return it;
  };
  return {thing("cat", "animal", {}), thing("sofa", "furniture", .5), thing("apple", "food", {}),
          thing("house", "building", {})};
}

/// Opaque grey squares, one for each picture.
Cutouts grey_squares(std::size_t count) {
  Cutouts cutouts{torch::full({static_cast<std::int64_t>(count), 4, 8, 8}, 128, torch::kUInt8), {}};
  cutouts.rgba.select(1, 3).fill_(255);
  cutouts.extents.resize(count);
  return cutouts;
}

SceneMaker maker(std::uint64_t seed = 1) {
  return SceneMaker(four_things(), grey_squares(4), seed);
}

bool says(const std::string& caption, const std::string& words) {
  return caption.find(words) != std::string::npos;
}

TEST(SceneMaker, ASceneDependsOnItsSeedAndIndexAlone) {
  const auto one = maker(), same = maker(), other = maker(2);
  int differing = 0;
  for (std::uint64_t i = 100; i-- > 0;) {
    const auto a = one.scene(i), b = same.scene(i);
    EXPECT_EQ(a.caption, b.caption);
    EXPECT_TRUE(torch::equal(to_tensors({a}).items, to_tensors({b}).items));
    EXPECT_TRUE(torch::equal(to_tensors({a}).background, to_tensors({b}).background));
    differing += a.caption != other.scene(i).caption;
  }
  EXPECT_GT(differing, 50);
}

TEST(SceneMaker, KindsOfScenesHaveTheirShares) {
  const auto scenes = maker();
  std::map<std::size_t, int> by_items;
  int on = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const auto scene = scenes.scene(i);
    ++by_items[scene.items.size()];
    on += says(scene.caption, " a sofa") && says(scene.caption, "cat on") && scene.items.size() == 2;
  }
  EXPECT_NEAR(by_items[1] / 4000., .60, .03);  // alone
  EXPECT_NEAR(by_items[2] / 4000., .36, .03);  // two, or a relation
  EXPECT_NEAR(by_items[3] / 4000., .04, .02);
  EXPECT_GT(on, 20);
}

TEST(SceneMaker, LeftOfMeansLeft) {
  const auto scenes = maker();
  int seen = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const auto scene = scenes.scene(i);
    if (!says(scene.caption, "cat to the left of") || !says(scene.caption, "sofa")) continue;
    const auto cat = scene.items[0].cutout == 0 ? scene.items[0] : scene.items[1];
    const auto sofa = scene.items[0].cutout == 0 ? scene.items[1] : scene.items[0];
    EXPECT_LT(cat.x, sofa.x) << scene.caption;
    ++seen;
  }
  EXPECT_GT(seen, 10);
}

TEST(SceneMaker, AboveAndUnderMeanSo) {
  const auto scenes = maker();
  int seen = 0;
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const auto scene = scenes.scene(i);
    const bool above = says(scene.caption, "cat above"), under = says(scene.caption, "cat under");
    if (says(scene.caption, "under the night sky")) continue;  // a backdrop, not a relation of things
    if (!above && !under) continue;
    if (scene.items.size() != 2) continue;
    const auto cat = scene.items[0].cutout == 0 ? scene.items[0] : scene.items[1];
    const auto other = scene.items[0].cutout == 0 ? scene.items[1] : scene.items[0];
    EXPECT_EQ(cat.y < other.y, above) << scene.caption;
    ++seen;
  }
  EXPECT_GT(seen, 10);
}

TEST(SceneMaker, CountedThingsAreAsManyAsSaid) {
  const auto scenes = maker();
  for (std::uint64_t i = 0; i < 4000; ++i) {
    const auto scene = scenes.scene(i);
    if (says(scene.caption, "two ")) {
      EXPECT_EQ(scene.items.size(), 2) << scene.caption;
    }
    if (says(scene.caption, "three ")) {
      EXPECT_EQ(scene.items.size(), 3) << scene.caption;
    }
  }
}

// A model must average over anything that captions leave open.
TEST(SceneMaker, ThePlainStyleNamesEveryBackdropButWhite) {
  const SceneMaker scenes(four_things(), grey_squares(4), 1, plain_style());
  int white = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const auto scene = scenes.scene(i);
    const auto& backdrop = scene.backdrop;
    const bool plain = backdrop.kind == Backdrop::flat && backdrop.top == Colour{1, 1, 1};
    white += plain && backdrop.phrase.empty();
    if (plain) continue;
    EXPECT_FALSE(backdrop.phrase.empty()) << scene.caption;
    EXPECT_TRUE(says(scene.caption, backdrop.phrase)) << scene.caption;
  }
  EXPECT_NEAR(white / 2000., .58, .06);  // 1 - .42, more for things without a landscape
}

TEST(SceneMaker, ThePlainStyleShowsThingsLarge) {
  const auto style = plain_style();
  const SceneMaker scenes(four_things(), grey_squares(4), 1, style);
  for (std::uint64_t i = 0; i < 500; ++i) {
    const auto scene = scenes.scene(i);
    if (scene.items.size() != 1) continue;
    EXPECT_GE(scene.items[0].side, style.alone.low);
    EXPECT_LE(scene.items[0].side, style.alone.high);
  }
}

TEST(Layouts, TheUpperOneStandsOnTheSeat) {
  Rng rng(7, 0);
  for (int i = 0; i < 200; ++i) {
    const Subject cat{.cutout = 0, .extent = {.8, .9}}, chair{.cutout = 1, .extent = {.6, .95}};
    const auto items = place_on(rng, cat, chair, .5);
    const auto& below = items[0];
    const auto& above = items[1];
    const double seat = below.y - below.side * .95 / 2 + .5 * below.side * .95;
    EXPECT_NEAR(above.y + above.side * .9 / 2, seat, .03);
    EXPECT_GE(above.side, .3);
    EXPECT_GT(above.y - above.side * .9 / 2, -.01);
    EXPECT_LT(below.y + below.side * .95 / 2, 1);
    EXPECT_LT(std::abs(above.x - below.x), .2);
  }
}

TEST(Layouts, ARowDoesNotOverlap) {
  Rng rng(7, 1);
  for (int i = 0; i < 200; ++i) {
    const Subject subject{.cutout = 0, .extent = {.9, .7}};
    const auto row = place_in_row(rng, {subject, subject, subject});
    for (int k = 0; k < 2; ++k) EXPECT_GE(row[k + 1].x - row[k].x, .9 * (row[k].side + row[k + 1].side) / 2 - .02);
  }
}

TEST(Layouts, OneAloneInALandscapeStandsBelowTheHorizon) {
  Rng rng(7, 2);
  Backdrop backdrop;
  backdrop.kind = Backdrop::landscape;
  backdrop.horizon = .6;
  for (int i = 0; i < 200; ++i) {
    const auto placed = place_alone(rng, {.cutout = 0, .extent = {.5, .5}}, backdrop)[0];
    EXPECT_GT(placed.y + placed.side * .5 / 2, .6);
  }
}

}  // namespace
}  // namespace sfumato
