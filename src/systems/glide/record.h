#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "images/write.h"
#include "systems/glide/request.h"

namespace sfumato {

/// Record in the file of a GLIDE image, complete enough to generate it again.
struct GLIDERecord {
  std::string program;  ///< txt2img or inpaint
  std::string model;    ///< as on the command line
  std::string device, dtype;
  bool tf32 = false;
  std::string image = "", mask = "";  ///< of inpainting
  bool invert_mask = false;
  std::uint64_t seed = 0;  ///< of this image
  bool is_base = false;    ///< of the base model, although an upsampler followed
};

/// Returns the text chunks `parameters`, in AUTOMATIC1111's form, and `sfumato`, as JSON.
TextChunks to_text_chunks(const GLIDERecord& record, const GLIDE& model, const GLIDEJob& job);

/// A record as it was read back.
struct RecordedGLIDE {
  GLIDERecord record;
  /// For this image alone. Without an upsampler's stage in the record, `upsamples` is false.
  GLIDERequest request;
};

/// True if the image file has a record of GLIDE. Throws std::runtime_error if it cannot be read.
bool has_glide_record(const std::filesystem::path& path);

/// Reads the record of an image file. Throws std::runtime_error naming `path` if it was made by another program or with
/// another system's model, or is damaged.
RecordedGLIDE read_glide_record(const std::filesystem::path& path);

}  // namespace sfumato
