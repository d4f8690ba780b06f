#pragma once

#include <vector>

#include "scenes/cutouts.h"
#include "scenes/rng.h"
#include "scenes/scene.h"
#include "scenes/style.h"

namespace sfumato {

/// A cut-out to place, and what its shape is.
struct Subject {
  std::size_t cutout = 0;
  Cutouts::Extent extent;
  /// Not mirrored: it bears letters.
  bool letters = false;
};

/// One thing, large. In a landscape it stands below the horizon.
std::vector<Placed> place_alone(Rng& rng, const Subject& subject, const Backdrop& backdrop,
                                const SceneStyle& style = {});

/// `upper` stands on `support` at `seat` (fraction of the support's height from its top). Support first.
std::vector<Placed> place_on(Rng& rng, const Subject& upper, const Subject& support, double seat,
                             const SceneStyle& style = {});

/// Side by side, the first one on the left, on one line.
std::vector<Placed> place_in_row(Rng& rng, const std::vector<Subject>& subjects);

/// The first one above the second.
std::vector<Placed> place_above(Rng& rng, const Subject& upper, const Subject& lower);

}  // namespace sfumato
