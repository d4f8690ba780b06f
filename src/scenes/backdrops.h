#pragma once

#include "scenes/rng.h"
#include "scenes/scene.h"
#include "scenes/style.h"

namespace sfumato {

/// Where a scene takes place.
enum class Place { plain, ground, sea, sky };

/// A backdrop on which something of colour `subject` shows: mostly white or light and unnamed, else a named colour,
/// or a landscape that fits `place`. A style that names backdrops has plain white for the unnamed ones, whatever the
/// subject's colour.
Backdrop draw_backdrop(Rng& rng, Place place, const Colour& subject, const SceneStyle& style = {});

}  // namespace sfumato
