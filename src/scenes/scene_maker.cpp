#include "scenes/scene_maker.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "scenes/backdrops.h"

namespace sfumato {
namespace {

/// Relative probability that a thing of this group is put on a support; 0 for buildings and the sky.
double weight_on_top(const std::string& group) {
  if (group == "animal") return 2;
  if (group == "person" || group == "food") return .7;
  for (const char* small : {"object", "toy", "plant", "clothing", "sport", "music"}) {
    if (group == small) return .5;
  }
  return 0;
}

std::vector<Colour> mean_colours(const torch::Tensor& rgba) {
  std::vector<Colour> means;
  for (std::int64_t i = 0; i < rgba.size(0); ++i) {
    const auto pixels = rgba[i].to(torch::kFloat64) / 255;  // [4, S, S]
    const auto alpha = pixels[3];
    const auto sum = (pixels.narrow(0, 0, 3) * alpha).sum({1, 2}) / alpha.sum().clamp_min(1e-6);
    means.push_back({sum[0].item<double>(), sum[1].item<double>(), sum[2].item<double>()});
  }
  return means;
}

}  // namespace

std::vector<Image> images_of(const std::vector<Thing>& things) {
  std::vector<Image> images;
  for (const auto& thing : things) images.insert(images.end(), thing.images.begin(), thing.images.end());
  return images;
}

void SceneMaker::Lottery::add(std::size_t entry, double weight) {
  if (weight <= 0) return;
  entries_.push_back(entry);
  totals_.push_back((totals_.empty() ? 0 : totals_.back()) + weight);
}

std::size_t SceneMaker::Lottery::draw(Rng& rng) const {
  const auto found = std::upper_bound(totals_.begin(), totals_.end(), rng.uniform() * totals_.back());
  return entries_[std::min<std::size_t>(found - totals_.begin(), entries_.size() - 1)];
}

SceneMaker::SceneMaker(std::vector<Thing> things, const Cutouts& cutouts, std::uint64_t seed, SceneStyle style)
    : things_(std::move(things)),
      extents_(cutouts.extents),
      colours_(mean_colours(cutouts.rgba)),
      seed_(seed),
      style_(style) {
  std::size_t next = 0;
  for (std::size_t i = 0; i < things_.size(); ++i) {
    const auto& thing = things_[i];
    first_cutout_.push_back(next);
    next += thing.images.size();
    // With the square root, a thing of many pictures appears more often, but each of its pictures less often.
    const double weight = thing.weight * std::sqrt(static_cast<double>(thing.images.size()));
    all_.add(i, weight);
    countable_.add(i, thing.name.mass ? 0 : weight);
    tops_.add(i, weight * weight_on_top(thing.group));
    supports_.add(i, thing.carries() ? weight * (thing.group == "furniture" ? 4 : 1) : 0);
  }
  TORCH_CHECK(next == extents_.size(), "the cut-outs are not those of the things");
}

SceneMaker::Choice SceneMaker::choice_of(std::size_t thing, std::size_t image) const {
  const auto cutout = first_cutout_[thing] + image;
  const auto& chosen = things_[thing].images[image];
  return {&things_[thing], &chosen, {cutout, extents_[cutout], chosen.letters}};
}

SceneMaker::Choice SceneMaker::choose(Rng& rng, std::size_t thing) const {
  return choice_of(thing, rng.below(things_[thing].images.size()));
}

SceneMaker::Choice SceneMaker::choose_with_seat(Rng& rng, std::size_t thing) const {
  const auto& images = things_[thing].images;
  std::vector<std::size_t> seats;
  for (std::size_t i = 0; i < images.size(); ++i) {
    if (images[i].seat) seats.push_back(i);
  }
  return choice_of(thing, rng.pick(seats));
}

Backdrop SceneMaker::backdrop(Rng& rng, const std::vector<Choice>& choices, bool alone) const {
  Colour mean{};
  for (const auto& choice : choices) {
    for (int c = 0; c < 3; ++c) mean[c] += colours_[choice.subject.cutout][c] / static_cast<double>(choices.size());
  }
  const auto& first = *choices.front().thing;
  auto place = Place::ground;
  if (first.group == "heart" || first.group == "shape") place = Place::plain;
  if (alone && first.habitat == Habitat::water) place = Place::sea;
  if (alone && first.habitat == Habitat::air) place = Place::sky;
  if (!alone && (first.group == "sky" || choices.back().thing->group == "sky")) place = Place::plain;
  return draw_backdrop(rng, place, mean, style_);
}

Mention SceneMaker::words_for(Rng& rng, const Choice& choice) const {
  return mention(rng, *choice.thing, *choice.image, style_);
}

std::string SceneMaker::phrase_after_relation(const Backdrop& backdrop) const {
  // "A cat on a sofa on the grass" sounds odd: landscapes stay unnamed unless the style names all backdrops.
  const bool named = style_.names_backdrops || backdrop.kind != Backdrop::landscape;
  return named ? backdrop.phrase : "";
}

Scene SceneMaker::alone(Rng& rng) const {
  const auto it = choose(rng, all_.draw(rng));
  Scene scene{.backdrop = backdrop(rng, {it}, true)};
  scene.items = place_alone(rng, it.subject, scene.backdrop, style_);
  const auto words = words_for(rng, it);
  const auto opening = draw_opening(rng, it.image->photo, style_);
  scene.caption = caption_of(opening, opening.bare ? words.bare : words.with_article, scene.backdrop.phrase);
  return scene;
}

Scene SceneMaker::one_on_another(Rng& rng) const {
  const auto support = choose_with_seat(rng, supports_.draw(rng));
  auto upper = choose(rng, tops_.draw(rng));
  while (upper.thing == support.thing) upper = choose(rng, tops_.draw(rng));
  static const std::vector<std::string> alive{"on", "on", "on", "on", "sitting on", "standing on", "on top of"};
  static const std::vector<std::string> lifeless{"on", "on", "on", "lying on", "on top of"};
  Scene scene{.items = place_on(rng, upper.subject, support.subject, *support.image->seat, style_),
              .backdrop = backdrop(rng, {upper, support}, false)};
  const auto group = upper.thing->group;
  const auto& relation = rng.pick(group == "animal" || group == "person" ? alive : lifeless);
  const auto first = words_for(rng, upper), second = words_for(rng, support);
  const auto opening = draw_opening(rng, upper.image->photo && support.image->photo, style_);
  const auto what = related(rng, opening, first, relation, second);
  scene.caption = caption_of(opening, what, phrase_after_relation(scene.backdrop));
  return scene;
}

Scene SceneMaker::beside(Rng& rng) const {
  const auto left = choose(rng, all_.draw(rng));
  auto right = choose(rng, all_.draw(rng));
  while (right.thing == left.thing) right = choose(rng, all_.draw(rng));
  Scene scene{.items = place_in_row(rng, {left.subject, right.subject}),
              .backdrop = backdrop(rng, {left, right}, false)};
  const auto first = words_for(rng, left), second = words_for(rng, right);
  static const std::vector<std::string> leftward{"to the left of", "to the left of", "left of", "on the left of"};
  static const std::vector<std::string> rightward{"to the right of", "to the right of", "right of", "on the right of"};
  static const std::vector<std::string> either{"next to", "beside", "and", "and", "with", "by"};
  const auto opening = draw_opening(rng, left.image->photo && right.image->photo, style_);
  std::string what;
  const double form = rng.uniform();
  if (form < .35) {
    what = related(rng, opening, first, rng.pick(leftward), second);
  } else if (form < .7) {
    what = related(rng, opening, second, rng.pick(rightward), first);
  } else {
    const bool swap = rng.chance(.5);
    what = related(rng, opening, swap ? second : first, rng.pick(either), swap ? first : second);
  }
  scene.caption = caption_of(opening, what, scene.backdrop.phrase);
  return scene;
}

Scene SceneMaker::above(Rng& rng) const {
  const auto upper = choose(rng, all_.draw(rng));
  auto lower = choose(rng, all_.draw(rng));
  while (lower.thing == upper.thing) lower = choose(rng, all_.draw(rng));
  Scene scene{.items = place_above(rng, upper.subject, lower.subject),
              .backdrop = backdrop(rng, {upper, lower}, false)};
  const auto first = words_for(rng, upper), second = words_for(rng, lower);
  static const std::vector<std::string> downward{"under", "below", "beneath", "under"};
  static const std::vector<std::string> upward{"above", "above", "over"};
  const auto opening = draw_opening(rng, upper.image->photo && lower.image->photo, style_);
  const auto what = rng.chance(.5) ? related(rng, opening, first, rng.pick(upward), second)
                                   : related(rng, opening, second, rng.pick(downward), first);
  scene.caption = caption_of(opening, what, phrase_after_relation(scene.backdrop));
  return scene;
}

Scene SceneMaker::several(Rng& rng) const {
  const auto thing = countable_.draw(rng);
  const std::size_t count = rng.chance(.6) ? 2 : 3;
  const bool same = rng.chance(.6);
  std::vector<Choice> choices{choose(rng, thing)};
  while (choices.size() < count) choices.push_back(same ? choices.front() : choose(rng, thing));
  std::vector<Subject> subjects;
  bool photo = true;
  for (const auto& choice : choices) {
    subjects.push_back(choice.subject);
    photo = photo && choice.image->photo;
  }
  Scene scene{.items = place_in_row(rng, subjects), .backdrop = backdrop(rng, choices, false)};
  const auto what = counted(rng, things_[thing], *choices.front().image, {count, same}, style_);
  scene.caption = caption_of(draw_opening(rng, photo, style_), what, scene.backdrop.phrase);
  return scene;
}

Scene SceneMaker::scene(std::uint64_t index) const {
  Rng rng(seed_, index, style_.variety);
  double kind = rng.uniform();
  if ((kind -= style_.several) < 0) return several(rng);
  if ((kind -= style_.one_on_another) < 0 && !supports_.empty() && !tops_.empty()) return one_on_another(rng);
  if ((kind -= style_.beside) < 0 && things_.size() > 1) return beside(rng);
  if ((kind -= style_.above) < 0 && things_.size() > 1) return above(rng);
  return alone(rng);
}

}  // namespace sfumato
