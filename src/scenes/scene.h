#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <vector>

namespace sfumato {

/// A cut-out's place in a scene; lengths are fractions of the image's side.
struct Placed {
  std::size_t cutout = 0;
  double x = 0.5, y = 0.5;
  /// Of the cut-out's square.
  double side = 0.5;
  bool flip = false;
  /// Radians, clockwise.
  double rotation = 0;
};

using Colour = std::array<double, 3>;

/// What is behind: see compose_scenes for how the kinds are painted.
struct Backdrop {
  enum Kind { flat = 0, gradient = 1, landscape = 2 };
  Kind kind = flat;
  Colour top{1, 1, 1}, bottom{1, 1, 1};
  /// Of a landscape, from the top.
  double horizon = 1;
  /// As a caption says it ("on a blue background", "in the snow"); empty where it says nothing.
  std::string phrase{};
};

/// A layout with its caption. Painted in order, at most three items.
struct Scene {
  std::vector<Placed> items{};
  Backdrop backdrop{};
  std::string caption{};
};

inline constexpr std::size_t kMaxItems = 3;

}  // namespace sfumato
