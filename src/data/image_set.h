#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sfumato {

/// Images of one size, in some sets with a class each. The last held_out() are never trained on.
class ImageSet {
 public:
  virtual ~ImageSet() = default;

  /// Number of images, the held-out ones included.
  virtual std::int64_t size() const = 0;
  virtual std::int64_t held_out() const = 0;
  /// {C, H, W}.
  virtual std::vector<std::int64_t> image_shape() const = 0;
  /// Float32 [N, C, H, W] in [-1, 1] on `device` of `indices`, int64 [N] on the CPU.
  virtual torch::Tensor images(const torch::Tensor& indices, torch::Device device) = 0;
  /// Number of classes; 0 for a set without.
  virtual std::int64_t classes() const = 0;
  /// Classes of `indices`, int64 [N] of 0 to classes() - 1 on the CPU; only for a set with classes.
  virtual torch::Tensor labels(const torch::Tensor& indices) const = 0;
};

/// Reads an image file as float32 [1, 3, H, W] in [-1, 1].
using ReadImage = std::function<torch::Tensor(const std::filesystem::path& path)>;

/// Called after each file with the number of files read, of `total`.
using OnRead = std::function<void(std::int64_t done, std::int64_t total)>;

/// Options of opening an image set.
struct ImageSetOptions {
  std::filesystem::path path;
  /// Side in pixels, and 1 (grey) or 3 (RGB) channels, of the images that the set returns.
  std::int64_t image_size = 32;
  std::int64_t channels = 3;
  /// Way of fitting an image of another size (image_fit.h).
  std::string resize = "center_crop";
  /// Number of images held out at random, for a set without its own split; 0 otherwise.
  std::int64_t held_out = 0;
  /// Needed for image files; empty in a build without image libraries.
  ReadImage read_image = {};
  /// May be empty.
  OnRead on_read = {};
};

/// A format of image sets: a row of the table.
struct ImageSetFormat {
  std::string name;
  /// One line.
  std::string description;
  /// True if the format has its own split, so that ImageSetOptions::held_out must be 0.
  bool has_split;
  /// Throws std::runtime_error naming the path and the fault.
  std::unique_ptr<ImageSet> (*open)(const ImageSetOptions& options);
};

const std::vector<ImageSetFormat>& image_set_formats();

/// Returns the format of a name. Throws std::invalid_argument listing all formats.
const ImageSetFormat& find_image_set_format(const std::string& name);

}  // namespace sfumato
