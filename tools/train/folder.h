#pragma once

#include "training/kinds.h"

namespace sfumato {

/// Returns the function that packs a folder of captioned images, as compose --folder does; empty in a build without
/// image libraries. Notes about captions go to standard error.
PackFolder folder_packer(const OnRead& on_read);

}  // namespace sfumato
