#pragma once

#include <cstdint>
#include <string>

#include "images/write.h"
#include "systems/glide/request.h"

namespace sfumato {

/// Record in the file of an image of GLIDE: enough to make it again.
struct GLIDERecord {
  std::string program;  ///< txt2img or inpaint
  std::string model;    ///< as the user named it
  std::string device, dtype;
  std::string image = "", mask = "";  ///< of inpainting
  std::uint64_t seed = 0;             ///< of this image
  bool is_base = false;               ///< of the base model, though an upsampler followed
};

/// The text chunks `parameters`, in AUTOMATIC1111's form, and `sfumato`, as JSON.
TextChunks to_text_chunks(const GLIDERecord& record, const GLIDE& model, const GLIDEJob& job);

}  // namespace sfumato
