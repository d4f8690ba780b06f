#include "data/mnist.h"

#include <cstring>
#include <stdexcept>

#include "core/files.h"
#include "data/stored_images.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

constexpr unsigned char kBytes = 0x08;  // the type of the elements

std::int64_t big_endian(const std::string& bytes, std::size_t at) {
  std::int64_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value * 256 + static_cast<unsigned char>(bytes[at + i]);
  return value;
}

torch::Tensor read_idx_of(const fs::path& path, std::int64_t dimensions) {
  if (!fs::is_regular_file(path))
    throw std::runtime_error("'" + path.string() + "' is missing; expected the four decompressed idx files of MNIST");
  auto tensor = read_idx(path);
  if (tensor.dim() != dimensions)
    throw std::runtime_error("'" + path.string() + "' has " + std::to_string(tensor.dim()) + " dimensions, expected " +
                             std::to_string(dimensions));
  return tensor;
}

/// Reads the images and labels of a split, "train" or "t10k".
LabelledImages read_split(const fs::path& folder, const std::string& split) {
  const auto images = read_idx_of(folder / (split + "-images-idx3-ubyte"), 3);  // [M, H, W]
  const auto labels = read_idx_of(folder / (split + "-labels-idx1-ubyte"), 1).to(torch::kInt64);
  if (images.size(0) != labels.size(0) || images.size(0) == 0)
    throw std::runtime_error("'" + folder.string() + "': " + std::to_string(images.size(0)) + " images of " + split +
                             " and " + std::to_string(labels.size(0)) + " labels, expected as many and some");
  return {images.unsqueeze(1), labels, labels.max().item<std::int64_t>() + 1};
}

std::unique_ptr<ImageSet> open_mnist(const ImageSetOptions& options) {
  const auto trained = read_split(options.path, "train"), held_out = read_split(options.path, "t10k");
  if (held_out.classes > trained.classes)
    throw std::runtime_error("'" + options.path.string() + "': a held-out label is " +
                             std::to_string(held_out.classes - 1) + ", expected 0 to " +
                             std::to_string(trained.classes - 1) + ", the labels of train");
  if (held_out.images.sizes().slice(1) != trained.images.sizes().slice(1))
    throw std::runtime_error("'" + options.path.string() + "': the images of train and t10k differ in size");
  return std::make_unique<StoredImages>(
      LabelledImages{fit_levels(torch::cat({trained.images, held_out.images}), options),
                     torch::cat({trained.labels, held_out.labels}), trained.classes},
      held_out.images.size(0));
}

}  // namespace

ImageSetFormat mnist_format() {
  return {.name = "mnist",
          .description = "the decompressed idx files of MNIST and sets of that form",
          .has_split = true,
          .open = open_mnist};
}

torch::Tensor read_idx(const fs::path& path) {
  const auto bytes = read_file(path);
  const auto fail = [&](const std::string& fault) -> std::runtime_error {
    return std::runtime_error("'" + path.string() + "': " + fault);
  };
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0) throw fail("no idx file (decompressed?)");
  if (static_cast<unsigned char>(bytes[2]) != kBytes) throw fail("its elements are no unsigned bytes");
  const auto dimensions = static_cast<std::size_t>(static_cast<unsigned char>(bytes[3]));
  if (dimensions == 0 || bytes.size() < 4 + 4 * dimensions) throw fail("its header is cut off");
  std::vector<std::int64_t> shape;
  std::uint64_t count = 1;
  const auto content = bytes.size() - 4 - 4 * dimensions;
  for (std::size_t i = 0; i < dimensions; ++i) {
    shape.push_back(big_endian(bytes, 4 + 4 * i));
    count *= static_cast<std::uint64_t>(shape.back());
    if (count > content) break;
  }
  if (count != content) throw fail("it holds " + std::to_string(content) + " bytes, its header another number");
  auto tensor = torch::empty(shape, torch::kUInt8);
  std::memcpy(tensor.data_ptr(), bytes.data() + 4 + 4 * dimensions, content);
  return tensor;
}

}  // namespace sfumato
