#include "training/kinds/vae/vae_loader.h"

namespace sfumato {
namespace {

torch::Tensor in_channels_last(const torch::Tensor& x) {
  return x.contiguous(torch::MemoryFormat::ChannelsLast);
}

}  // namespace

VaeLoader::VaeLoader(const VaeRecipe& recipe, const AutoencoderKLConfig& config, Pack& pack, torch::Device device)
    : seed_(recipe.seed),
      crop_size_(recipe.crop_size),
      latent_channels_(config.latent_channels),
      factor_(config.downscale_factor()),
      pack_(pack),
      device_(device),
      order_(recipe.seed, pack.size() - pack.held_out(), recipe.batch_size) {}

torch::Tensor VaeLoader::crops(std::int64_t number, at::Generator& generator) {
  const auto images = pack_.images(order_.batch(number), device_);  // [N, 3, H, W]
  const auto size = crop_size_;
  if (size == 0 || (size == images.size(2) && size == images.size(3))) return in_channels_last(images);
  const auto rows = torch::randint(images.size(2) - size + 1, {images.size(0)}, generator, torch::kInt64);
  const auto columns = torch::randint(images.size(3) - size + 1, {images.size(0)}, generator, torch::kInt64);
  std::vector<torch::Tensor> crops;
  for (std::int64_t i = 0; i < images.size(0); ++i) {
    const auto row = rows[i].item<std::int64_t>(), column = columns[i].item<std::int64_t>();
    crops.push_back(images[i].narrow(1, row, size).narrow(2, column, size));
  }
  return in_channels_last(torch::stack(crops));
}

Batch VaeLoader::batch(std::int64_t number) {
  auto generator = generator_for(seed_, Stream::kStep, static_cast<std::uint64_t>(number));
  const auto images = crops(number, generator);
  const auto noise =
      torch::randn({images.size(0), latent_channels_, images.size(2) / factor_, images.size(3) / factor_}, generator,
                   torch::kFloat32);
  return {{"images", images}, {"noise", noise.to(device_)}};
}

}  // namespace sfumato
