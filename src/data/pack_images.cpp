#include "data/pack_images.h"

#include "data/pack.h"
#include "data/stored_images.h"

namespace sfumato {
namespace {

class PackImages : public ImageSet {
 public:
  explicit PackImages(const ImageSetOptions& options) : options_(options), pack_(options.path, options.image_size) {
    const auto size = pack_.image_size();
    fit_to(options_, torch::zeros({3, size[0], size[1]}), options_.path);  // refuses a wrong size early
  }

  std::int64_t size() const override { return pack_.size(); }
  std::int64_t held_out() const override { return pack_.held_out(); }
  std::vector<std::int64_t> image_shape() const override {
    return {options_.channels, options_.image_size, options_.image_size};
  }
  std::int64_t classes() const override { return 0; }
  torch::Tensor labels(const torch::Tensor&) const override { TORCH_CHECK(false, "a pack has no classes"); }

  torch::Tensor images(const torch::Tensor& indices, torch::Device device) override {
    const auto images = pack_.images(indices, device);
    std::vector<torch::Tensor> fitted;
    for (const auto& image : images.unbind()) fitted.push_back(fit_to(options_, image, options_.path));
    return torch::stack(fitted);
  }

 private:
  ImageSetOptions options_;
  Pack pack_;
};

}  // namespace

ImageSetFormat pack_format() {
  return {.name = "pack",
          .description = "a packed training file, as compose --pack writes it",
          .has_split = true,
          .open = [](const ImageSetOptions& options) -> std::unique_ptr<ImageSet> {
            return std::make_unique<PackImages>(options);
          }};
}

}  // namespace sfumato
