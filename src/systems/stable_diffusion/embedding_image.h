#pragma once

#include <filesystem>

#include "adapters/textual_inversion.h"

namespace sfumato {

/// True for a file that begins with PNG's signature; false for one that cannot be read.
bool is_png(const std::filesystem::path& path);

/// Reads the embedding that AUTOMATIC1111's web UI stores in a PNG: in the text chunk sd-ti-embedding, or in the pixels
/// (images/image_data.h). Its words are the file's name and the embedding's own. Throws std::runtime_error naming a
/// file that contains none.
TextualInversion read_embedding_image(const std::filesystem::path& path);

}  // namespace sfumato
