#pragma once

namespace sfumato {

/// Bounds of a uniform draw. Lengths are fractions of the image's side.
struct Range {
  double low = 0, high = 1;
};

/// Probabilities and sizes of scenes. The defaults are the varied style.
struct SceneStyle {
  /// Spread, 0 to 1, of sizes, places, tilts and shades around the middle of their ranges.
  double variety = 1;
  /// Side of a single thing, of a thing that stands on another, and of the one that it stands on.
  Range alone{.6, .92}, upper{.4, .56}, support{.7, .94};
  /// Shares of the kinds of scenes; the rest show a single thing.
  double several = .10, one_on_another = .13, beside = .12, above = .05;
  /// Probability that a caption names the colour of a picture that has one, and that it uses a synonym.
  double colour = .55, synonym = .35;
  /// Probability that a caption begins with a medium ("a picture of"), and that any other one omits articles.
  double medium = .28, bare = .18;
  /// True if the caption names every backdrop except plain white.
  bool names_backdrops = false;
};

/// Style of scenes that their captions determine: large things on white, unless the caption names another backdrop. A
/// small model learns the look of things from them; it would average over anything that captions leave open.
inline SceneStyle plain_style() {
  SceneStyle style;
  style.variety = .15;
  style.alone = {.74, .96};
  style.upper = {.56, .66};
  style.support = {.86, .96};
  style.one_on_another = .22;
  style.colour = .7;
  style.synonym = .3;
  style.medium = .15;
  style.bare = .15;
  style.names_backdrops = true;
  return style;
}

}  // namespace sfumato
