#include "data/cifar10.h"

#include <cstring>
#include <stdexcept>

#include "core/files.h"
#include "data/stored_images.h"

namespace sfumato {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kCifarSide = 32, kCifarClasses = 10;
constexpr std::int64_t kRecord = 1 + 3 * kCifarSide * kCifarSide;  // the label, then the planes

LabelledImages read_cifar_file(const fs::path& path) {
  const auto bytes = read_file(path);
  const auto size = static_cast<std::int64_t>(bytes.size()), count = size / kRecord;
  if (count == 0 || size % kRecord != 0)
    throw std::runtime_error("'" + path.string() + "' has " + std::to_string(size) + " bytes, expected a multiple of " +
                             std::to_string(kRecord) + ", a label and a 32 x 32 image");
  auto records = torch::empty({count, kRecord}, torch::kUInt8);
  std::memcpy(records.data_ptr(), bytes.data(), bytes.size());
  const auto labels = records.select(1, 0).to(torch::kInt64);
  if (const auto largest = labels.max().item<std::int64_t>(); largest >= kCifarClasses)
    throw std::runtime_error("'" + path.string() + "' has a label " + std::to_string(largest) + ", expected 0 to 9");
  return {records.narrow(1, 1, kRecord - 1).reshape({count, 3, kCifarSide, kCifarSide}), labels, kCifarClasses};
}

std::unique_ptr<ImageSet> open_cifar10(const ImageSetOptions& options) {
  std::vector<torch::Tensor> images, labels;
  const auto add = [&](const LabelledImages& part) {
    images.push_back(part.images);
    labels.push_back(part.labels);
  };
  for (int i = 1;; ++i) {
    const auto file = options.path / ("data_batch_" + std::to_string(i) + ".bin");
    if (!fs::is_regular_file(file)) break;
    add(read_cifar_file(file));
  }
  const auto test = options.path / "test_batch.bin";
  if (images.empty() || !fs::is_regular_file(test))
    throw std::runtime_error("'" + options.path.string() +
                             "' lacks data_batch_1.bin or test_batch.bin; expected the binary version of CIFAR-10");
  const auto held_out = read_cifar_file(test);
  add(held_out);
  return std::make_unique<StoredImages>(
      LabelledImages{fit_levels(torch::cat(images), options), torch::cat(labels), kCifarClasses},
      held_out.images.size(0));
}

}  // namespace

ImageSetFormat cifar10_format() {
  return {.name = "cifar10", .description = "the binary version of CIFAR-10", .has_split = true, .open = open_cifar10};
}

}  // namespace sfumato
