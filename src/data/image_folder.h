#pragma once

#include "data/image_set.h"

namespace sfumato {

/// Row "folder": image files in a folder and its subfolders. If all of them lie in subfolders, the folder's direct
/// subfolders, sorted by name, are the classes. All images are read at once and kept as bytes.
ImageSetFormat image_folder_format();

}  // namespace sfumato
