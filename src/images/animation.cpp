#include "images/animation.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "core/files.h"
#include "core/temporary_name.h"
#include "images/animation_formats.h"

namespace sfumato {
namespace {

std::string animation_format(const std::filesystem::path& path) {
  auto extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return extension;
}

/// Encodes an MP4. Its writer takes a file name in place of a stream: it writes beside `path`, and the file is copied.
std::string encode_mp4(const std::filesystem::path& path, const std::vector<torch::Tensor>& frames,
                       const AnimationTiming& timing) {
  const auto temporary = temporary_name(path, ".mp4");
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
  std::string bytes;
  try {
    write_mp4(temporary, frames, timing);
    bytes = read_file(temporary);
    if (!is_whole_mp4(bytes)) throw std::runtime_error("MP4: the file is not whole; is the disk full?");
  } catch (...) {
    std::filesystem::remove(temporary);
    throw;
  }
  std::filesystem::remove(temporary);
  return bytes;
}

}  // namespace

void check_animation_name(const std::filesystem::path& path) {
  const auto format = animation_format(path);
  if (format == ".gif" || format == ".webp" || format == ".mp4") return;
  throw std::invalid_argument("animation '" + path.string() + "': expected a name that ends in .gif, .webp or .mp4");
}

void write_animation(const std::filesystem::path& path, const std::vector<torch::Tensor>& frames,
                     const AnimationTiming& timing) {
  check_animation_name(path);
  TORCH_CHECK(!frames.empty(), "an animation without frames");
  for (const auto& frame : frames)
    TORCH_CHECK(frame.sizes() == frames.front().sizes() && frame.dim() == 3 && frame.size(2) == 3, "frames of ",
                frames.front().sizes(), " and ", frame.sizes());
  std::string bytes;
  try {
    const auto format = animation_format(path);
    bytes = format == ".gif"    ? encode_animated_gif(frames, timing)
            : format == ".webp" ? encode_animated_webp(frames, timing)
                                : encode_mp4(path, frames, timing);
  } catch (const std::runtime_error& error) {
    throw std::runtime_error("cannot write '" + path.string() + "': " + error.what());
  }
  write_file_atomically(path, [&](std::ostream& out) { out << bytes; });
}

}  // namespace sfumato
