#include "scenes/layouts.h"

#include <algorithm>

namespace sfumato {
namespace {

constexpr double kMargin = .02;
constexpr double kTilt = .14;  // radians, 8 degrees

Placed upright(Rng& rng, const Subject& subject, double side) {
  return {.cutout = subject.cutout, .side = side, .flip = !subject.letters && rng.varied()};
}

/// Draws an occasional tilt of at most `most`; things that stand on something stay nearly upright.
double tilt(Rng& rng, double most) {
  return rng.varied() ? rng.uniform(-most, most) : 0;
}

/// Draws a centre that keeps `extent` inside the image, or returns the image's middle if it does not fit.
double centre(Rng& rng, double extent) {
  const double slack = std::max(0.0, 1 - extent - 2 * kMargin);
  return .5 + slack * rng.uniform(-.5, .5);
}

}  // namespace

std::vector<Placed> place_alone(Rng& rng, const Subject& subject, const Backdrop& backdrop, const SceneStyle& style) {
  auto placed = upright(rng, subject, rng.uniform(style.alone));
  const double width = placed.side * subject.extent.width, height = placed.side * subject.extent.height;
  placed.x = centre(rng, width);
  placed.rotation = tilt(rng, kTilt);
  placed.y = centre(rng, height);
  if (backdrop.kind == Backdrop::landscape) {
    const double lowest = 1 - kMargin;
    const double bottom = rng.uniform(std::min(lowest, std::max(backdrop.horizon + .12, height + kMargin)), lowest);
    placed.y = bottom - height / 2;
    placed.rotation *= .3;
  }
  return {placed};
}

std::vector<Placed> place_on(Rng& rng, const Subject& upper, const Subject& support, double seat,
                             const SceneStyle& style) {
  constexpr double kSmallest = .3, kSink = .025;
  auto below = upright(rng, support, rng.uniform(style.support));
  auto above = upright(rng, upper, rng.uniform(style.upper));
  // The upper thing shrinks to fit over the seat, down to a size at which it is still recognisable; then the support.
  const double bottom = rng.uniform(.92, .98);
  const auto room = [&] { return bottom - below.side * support.extent.height * (1 - seat) - kMargin; };
  above.side = std::min(above.side, .85 * below.side * support.extent.width / upper.extent.width);
  above.side = std::max(above.side, kSmallest);
  if (above.side * upper.extent.height > room()) above.side = std::max(kSmallest, room() / upper.extent.height);
  if (above.side * upper.extent.height > room()) {
    below.side = (bottom - kMargin - above.side * upper.extent.height) / (support.extent.height * (1 - seat));
  }
  const double width = below.side * support.extent.width, height = below.side * support.extent.height;
  below.x = centre(rng, width);
  below.y = bottom - height / 2;
  const double spare = std::max(0.0, width - above.side * upper.extent.width);
  above.x = below.x + spare * rng.uniform(-.3, .3);
  above.y = below.y - height / 2 + seat * height + kSink - above.side * upper.extent.height / 2;
  above.rotation = tilt(rng, .04);
  return {below, above};
}

std::vector<Placed> place_in_row(Rng& rng, const std::vector<Subject>& subjects) {
  const double cell = 1.0 / static_cast<double>(subjects.size());
  const double bottom = rng.uniform(.66, .92);
  std::vector<Placed> row;
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    const auto& extent = subjects[i].extent;
    const double widest = (cell - .02) / extent.width;
    const double largest = std::min({widest, subjects.size() == 2 ? .62 : .46, (bottom - kMargin) / extent.height});
    auto placed = upright(rng, subjects[i], largest * rng.uniform(.82, 1));
    const double slack = cell - placed.side * extent.width;
    placed.x = cell * (static_cast<double>(i) + .5) + slack * rng.uniform(-.35, .35);
    placed.y = bottom - placed.side * extent.height / 2 + rng.uniform(-.03, .03);
    placed.rotation = tilt(rng, kTilt / 2);
    row.push_back(placed);
  }
  return row;
}

std::vector<Placed> place_above(Rng& rng, const Subject& upper, const Subject& lower) {
  std::vector<Placed> column;
  for (const auto* subject : {&upper, &lower}) {
    const double largest = std::min(.62, .46 / subject->extent.height);
    auto placed = upright(rng, *subject, largest * rng.uniform(.85, 1));
    placed.x = std::clamp(.5 + rng.uniform(-.1, .1), placed.side * subject->extent.width / 2, 1.0);
    placed.y = subject == &upper ? .25 : .75;
    placed.rotation = tilt(rng, kTilt / 2);
    column.push_back(placed);
  }
  return column;
}

}  // namespace sfumato
