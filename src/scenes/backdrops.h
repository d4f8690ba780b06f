#pragma once

#include "scenes/rng.h"
#include "scenes/scene.h"
#include "scenes/style.h"

namespace sfumato {

/// Place of a scene.
enum class Place { plain, ground, sea, sky };

/// Draws a backdrop on which something of colour `subject` is visible: mostly white or light and unnamed, else a named
/// colour, or a landscape that fits `place`. If the style names backdrops, the unnamed ones are plain white for any
/// subject's colour.
Backdrop draw_backdrop(Rng& rng, Place place, const Colour& subject, const SceneStyle& style = {});

}  // namespace sfumato
