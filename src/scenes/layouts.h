#pragma once

#include <vector>

#include "scenes/cutouts.h"
#include "scenes/rng.h"
#include "scenes/scene.h"
#include "scenes/style.h"

namespace sfumato {

/// A cut-out to place, and its shape.
struct Subject {
  std::size_t cutout = 0;
  Cutouts::Extent extent;
  /// True if it shows letters, so that it must not be mirrored.
  bool letters = false;
};

/// Places one thing, large. In a landscape it stands below the horizon.
std::vector<Placed> place_alone(Rng& rng, const Subject& subject, const Backdrop& backdrop,
                                const SceneStyle& style = {});

/// Places `upper` on `support` at `seat` (fraction of the support's height from its top). Support first.
std::vector<Placed> place_on(Rng& rng, const Subject& upper, const Subject& support, double seat,
                             const SceneStyle& style = {});

/// Places things side by side on one line, the first one on the left.
std::vector<Placed> place_in_row(Rng& rng, const std::vector<Subject>& subjects);

/// Places the first thing above the second.
std::vector<Placed> place_above(Rng& rng, const Subject& upper, const Subject& lower);

}  // namespace sfumato
