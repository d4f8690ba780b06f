#pragma once

#include <cstdint>
#include <string>

#include "images/write.h"
#include "systems/glide/request.h"

namespace sfumato {

/// Record in the file of a GLIDE image, complete enough to generate it again.
struct GLIDERecord {
  std::string program;  ///< txt2img or inpaint
  std::string model;    ///< as on the command line
  std::string device, dtype;
  std::string image = "", mask = "";  ///< of inpainting
  std::uint64_t seed = 0;             ///< of this image
  bool is_base = false;               ///< of the base model, although an upsampler followed
};

/// Returns the text chunks `parameters`, in AUTOMATIC1111's form, and `sfumato`, as JSON.
TextChunks to_text_chunks(const GLIDERecord& record, const GLIDE& model, const GLIDEJob& job);

}  // namespace sfumato
