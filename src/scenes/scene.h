#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace sfumato {

/// Placement of a cut-out in a scene; lengths are fractions of the image's side.
struct Placed {
  std::size_t cutout = 0;
  double x = 0.5, y = 0.5;
  /// Side of the cut-out's square.
  double side = 0.5;
  bool flip = false;
  /// Radians, clockwise.
  double rotation = 0;
};

using Colour = std::array<double, 3>;

/// Backdrop of a scene; compose_scenes documents how each kind is painted.
struct Backdrop {
  enum Kind { flat = 0, gradient = 1, landscape = 2 };
  Kind kind = flat;
  Colour top{1, 1, 1}, bottom{1, 1, 1};
  /// Distance of a landscape's horizon from the top.
  double horizon = 1;
  /// Words of the caption for it ("on a blue background", "in the snow"); may be empty.
  std::string phrase{};
};

/// A layout with its caption: at most three items, painted in order.
struct Scene {
  std::vector<Placed> items{};
  Backdrop backdrop{};
  std::string caption{};
};

inline constexpr std::size_t kMaxItems = 3;

}  // namespace sfumato
