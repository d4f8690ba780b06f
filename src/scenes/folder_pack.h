#pragma once

#include <cstdint>
#include <vector>

#include "scenes/captioned_folder.h"
#include "scenes/pack_writer.h"

namespace sfumato {

/// Number of images held out of `count` by default: a tenth, at most 1000.
std::int64_t default_held_out(std::int64_t count);

/// How a folder's images are packed.
struct FolderPackOptions {
  std::int64_t size = 128;    ///< side of the packed images in pixels
  std::int64_t held_out = 0;  ///< the last that many images are held out
  OnImage on_image = {};      ///< progress of reading
};

/// Reads the images and returns the contents of their pack. The first captions of the first images are its probes.
/// Throws std::runtime_error naming an unreadable image.
PackContents folder_contents(const std::vector<CaptionedFile>& files, const FolderPackOptions& options);

}  // namespace sfumato
