#pragma once

#include "compose/options.h"

namespace sfumato {

/// Writes a pack of composed scenes for train. Throws as open_studio and write_pack do.
void pack_scenes(const ComposeOptions& options);

/// Writes a pack of a folder's captioned images. Throws std::runtime_error for an image that cannot be read.
void pack_folder(const ComposeOptions& options);

}  // namespace sfumato
