#pragma once

namespace sfumato {

/// Bounds of a uniform draw. Lengths are fractions of the image's side.
struct Range {
  double low = 0, high = 1;
};

/// The probabilities and sizes that scenes are drawn with. The defaults are the varied style.
struct SceneStyle {
  /// 0 to 1: how far sizes, places, tilts and shades spread around the middle of their ranges.
  double variety = 1;
  /// Side of a single thing, of a thing that stands on another, and of the one that it stands on.
  Range alone{.6, .92}, upper{.4, .56}, support{.7, .94};
  /// Shares of the kinds of scenes; the rest show a single thing.
  double several = .10, one_on_another = .13, beside = .12, above = .05;
  /// Probability that a caption names the colour of a picture that has one, and that it takes a synonym.
  double colour = .55, synonym = .35;
  /// Probability that a caption begins with a medium ("a picture of"), and that another one leaves articles out.
  double medium = .28, bare = .18;
  /// Every backdrop but plain white is named by the caption.
  bool names_backdrops = false;
};

/// Scenes whose captions decide what they show: large things, and white behind them unless the caption names something
/// else. A small model learns from them what things look like, where it would average what no caption decides.
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
