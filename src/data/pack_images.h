#pragma once

#include "data/image_set.h"

namespace sfumato {

/// Row "pack": the images of a packed training file (pack.h), without classes.
ImageSetFormat pack_format();

}  // namespace sfumato
