#include "scenes/backdrops.h"

#include <algorithm>
#include <cmath>

#include "scenes/grammar.h"

namespace sfumato {
namespace {

struct NamedColour {
  const char* name;
  Colour rgb;
};

const std::vector<NamedColour>& colours() {
  static const std::vector<NamedColour> all{{"white", {1, 1, 1}},        {"black", {.06, .06, .07}},
                                            {"grey", {.55, .56, .58}},   {"red", {.86, .16, .16}},
                                            {"orange", {.97, .58, .14}}, {"yellow", {.98, .85, .22}},
                                            {"green", {.25, .65, .30}},  {"light green", {.70, .90, .66}},
                                            {"blue", {.18, .42, .86}},   {"light blue", {.68, .85, .97}},
                                            {"purple", {.52, .27, .70}}, {"pink", {.97, .66, .78}},
                                            {"brown", {.47, .32, .21}}};
  return all;
}

struct Scenery {
  std::vector<const char*> phrases;
  Colour above, below;
};

const std::vector<Scenery>& grounds() {
  static const std::vector<Scenery> all{
      {{"on the grass", "on grass", "in a meadow", "on a green field"}, {.45, .72, .96}, {.40, .70, .28}},
      {{"on the beach", "on the sand", "in the desert"}, {.42, .74, .97}, {.93, .83, .58}},
      {{"in the snow", "on the snow", "in winter"}, {.66, .78, .92}, {.95, .97, 1}},
      {{"at night", "at night", "under the night sky"}, {.05, .07, .22}, {.12, .20, .16}},
      {{"on the road", "on a street"}, {.62, .80, .95}, {.42, .43, .46}},
      {{"at sunset", "in the evening"}, {.95, .52, .28}, {.35, .30, .30}}};
  return all;
}

const std::vector<Scenery>& seas() {
  static const std::vector<Scenery> all{
      {{"on the water", "at sea", "in the sea", "on the sea"}, {.60, .82, .98}, {.13, .42, .72}}};
  return all;
}

const std::vector<Scenery>& skies() {
  static const std::vector<Scenery> all{{{"in the sky", "in the blue sky"}, {.33, .62, .95}, {.72, .88, 1}},
                                        {{"in the night sky", "at night"}, {.03, .05, .17}, {.12, .16, .36}}};
  return all;
}

double distance(const Colour& a, const Colour& b) {
  return std::hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

Colour jittered(Rng& rng, Colour colour, double amount) {
  for (auto& channel : colour) channel = std::clamp(channel + rng.uniform(-amount, amount), 0.0, 1.0);
  return colour;
}

Colour pastel(Rng& rng) {
  const double light = rng.uniform(.82, .97);
  return jittered(rng, {light, light, light}, .06);
}

Backdrop named_colour(Rng& rng, double named) {
  const auto& colour = rng.pick(colours());
  Backdrop backdrop{.top = jittered(rng, colour.rgb, .04)};
  backdrop.bottom = backdrop.top;
  static const std::vector<std::string> forms{" background", " background", " background", " backdrop"};
  if (rng.chance(named)) backdrop.phrase = "on " + with_article(colour.name + rng.pick(forms));
  return backdrop;
}

Backdrop light(Rng& rng) {
  if (rng.chance(.6)) return {};
  Backdrop backdrop{.top = pastel(rng)};
  backdrop.bottom = backdrop.top;
  return backdrop;
}

Backdrop gradient(Rng& rng) {
  Backdrop backdrop{.kind = Backdrop::gradient, .top = pastel(rng), .bottom = pastel(rng)};
  if (rng.chance(.5)) backdrop.bottom = jittered(rng, rng.pick(colours()).rgb, .05);
  return backdrop;
}

Backdrop scenery(Rng& rng, Place place, double named) {
  const auto& chosen = rng.pick(place == Place::sky ? skies() : place == Place::sea ? seas() : grounds());
  Backdrop backdrop{.kind = place == Place::sky ? Backdrop::gradient : Backdrop::landscape,
                    .top = jittered(rng, chosen.above, .04),
                    .bottom = jittered(rng, chosen.below, .04),
                    .horizon = place == Place::sky ? 1.0 : rng.uniform(.42, .68)};
  if (rng.chance(named)) backdrop.phrase = rng.pick(chosen.phrases);
  return backdrop;
}

Backdrop candidate(Rng& rng, Place place) {
  const double which = rng.uniform();
  if (place != Place::plain && which < .28) return scenery(rng, place, .85);
  if (which < .50) return named_colour(rng, .8);
  return which < .58 ? gradient(rng) : light(rng);
}

Backdrop named_or_white(Rng& rng, Place place) {
  const double which = rng.uniform();
  if (place != Place::plain && which < .22) return scenery(rng, place, 1);
  return which < .42 ? named_colour(rng, 1) : Backdrop{};
}

/// Contrast of the subject to its backdrop.
double contrast(const Backdrop& backdrop, const Colour& subject) {
  return std::min(distance(backdrop.top, subject), distance(backdrop.bottom, subject));
}

}  // namespace

Backdrop draw_backdrop(Rng& rng, Place place, const Colour& subject, const SceneStyle& style) {
  constexpr double kEnough = .22;
  Backdrop best;
  double best_contrast = -1;
  for (int attempt = 0; attempt < 4; ++attempt) {
    auto drawn = style.names_backdrops ? named_or_white(rng, place) : candidate(rng, place);
    if (style.names_backdrops && drawn.phrase.empty()) return drawn;
    const double reached = contrast(drawn, subject);
    if (reached > best_contrast) {
      best = std::move(drawn);
      best_contrast = reached;
    }
    if (best_contrast >= kEnough) break;
  }
  return best;
}

}  // namespace sfumato
