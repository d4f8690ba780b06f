#include "data/stored_images.h"

#include <stdexcept>

#include "core/random.h"
#include "data/image_fit.h"

namespace sfumato {

StoredImages::StoredImages(LabelledImages content, std::int64_t held_out)
    : content_(std::move(content)), held_out_(held_out) {
  if (held_out_ < 0 || held_out_ >= size())
    throw std::invalid_argument("'held_out' is " + std::to_string(held_out_) + ", expected fewer than the set's " +
                                std::to_string(size()) + " images");
}

torch::Tensor StoredImages::images(const torch::Tensor& indices, torch::Device device) {
  return from_levels(content_.images.index_select(0, indices).to(device));
}

torch::Tensor StoredImages::labels(const torch::Tensor& indices) const {
  TORCH_CHECK(content_.labels.defined(), "a set without classes");
  return content_.labels.index_select(0, indices);
}

LabelledImages shuffled(const LabelledImages& content) {
  constexpr std::uint64_t kSeed = 0;
  const auto order = torch::randperm(content.images.size(0), seeded_generator(kSeed));
  return {content.images.index_select(0, order),
          content.labels.defined() ? content.labels.index_select(0, order) : torch::Tensor(), content.classes};
}

torch::Tensor fit_to(const ImageSetOptions& options, const torch::Tensor& image, const std::filesystem::path& where) {
  try {
    return with_channels(fit_image(image, options.image_size, options.resize), options.channels);
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error("'" + where.string() + "': " + error.what());
  }
}

torch::Tensor fit_levels(const torch::Tensor& levels, const ImageSetOptions& options) {
  const auto size = options.image_size;
  const bool fits = levels.size(2) == size && levels.size(3) == size;
  if (fits && levels.size(1) == options.channels) return levels;
  auto fitted = torch::empty({levels.size(0), options.channels, size, size}, torch::kUInt8);
  for (std::int64_t i = 0; i < levels.size(0); ++i)
    fitted[i].copy_(to_levels(fit_to(options, from_levels(levels[i]), options.path)));
  return fitted;
}

}  // namespace sfumato
