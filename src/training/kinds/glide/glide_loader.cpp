#include "training/kinds/glide/glide_loader.h"

#include "diffusion/schedule_config.h"
#include "training/kinds/glide/low_resolution.h"
#include "training/loading/captioned_pack.h"
#include "training/loading/timesteps.h"

namespace sfumato {
namespace {

/// Random whole numbers of [low, high), int64 [N].
torch::Tensor whole_numbers(std::int64_t low, std::int64_t high, std::int64_t count, at::Generator& generator) {
  return torch::randint(low, high, {count}, generator, torch::kInt64);
}

/// True [N, size] in a random interval of a quarter to all of `size`.
torch::Tensor random_intervals(std::int64_t count, std::int64_t size, at::Generator& generator) {
  const auto length = whole_numbers(std::max<std::int64_t>(1, size / 4), size + 1, count, generator);
  const auto place = torch::rand({count}, generator, torch::kFloat64) * (size - length + 1).to(torch::kFloat64);
  const auto first = place.to(torch::kInt64).unsqueeze(1), end = first + length.unsqueeze(1);
  const auto at = torch::arange(size).unsqueeze(0);
  return (at >= first).logical_and(at < end);
}

}  // namespace

torch::Tensor random_masks(std::int64_t count, std::int64_t height, std::int64_t width, at::Generator& generator) {
  constexpr double kWhole = 0.1;
  const auto rows = random_intervals(count, height, generator).unsqueeze(2);
  const auto columns = random_intervals(count, width, generator).unsqueeze(1);
  const auto all = (torch::rand({count, 1, 1}, generator, torch::kFloat32) < kWhole);
  return rows.logical_and(columns).logical_or(all).logical_not().unsqueeze(1).to(torch::kFloat32);
}

GLIDELoader::GLIDELoader(const GLIDERecipe& recipe, Pack& pack, GLIDELatents latents, torch::Device device)
    : seed_(recipe.seed),
      caption_dropout_(recipe.data.caption_dropout),
      inpaint_(recipe.inpaint),
      low_res_size_(recipe.is_upsampler() ? recipe.low_res_size : 0),
      low_res_(recipe.data.low_res),
      image_size_(recipe.data.image_size),
      num_train_timesteps_(ScheduleConfig::from_json(recipe.scheduler).num_train_timesteps),
      pack_(pack),
      latents_(std::move(latents)),
      device_(device),
      order_(recipe.seed, pack.size() - pack.held_out(), recipe.batch_size) {}

std::vector<std::int64_t> GLIDELoader::shape() const {
  if (latents_.images.defined()) return latents_.images.sizes().slice(1).vec();
  return {3, image_size_, image_size_};
}

torch::Tensor GLIDELoader::mask_of(const torch::Tensor& ids) const {
  // The empty caption ends in padding.
  return ids != pack_.empty_ids().to(ids.device()).select(0, -1);
}

torch::Tensor GLIDELoader::enlarged(const torch::Tensor& x0, const torch::Tensor& indices, bool for_training,
                                    at::Generator& generator) const {
  auto small = latents_.low_res.defined() ? x0_of(pack_, latents_.low_res, indices, device_)
                                          : at_low_resolution(x0, low_res_size_);
  if (for_training) small = augmented(small, low_res_, generator);
  return torch::upsample_bilinear2d(small, {x0.size(2), x0.size(3)}, /*align_corners=*/false);
}

Batch GLIDELoader::examples(const torch::Tensor& indices, bool for_training, at::Generator& generator) {
  const auto count = indices.size(0);
  const auto dropped = torch::rand({count, 1}, generator, torch::kFloat32) < (for_training ? caption_dropout_ : 0);
  const auto ids = torch::where(dropped, pack_.empty_ids(), pack_.ids(indices)).to(device_);
  Batch batch{{"x0", x0_of(pack_, latents_.images, indices, device_)}, {"ids", ids}, {"mask", mask_of(ids)}};
  const auto& images = batch.at("x0");
  std::vector<torch::Tensor> concat;
  if (inpaint_) {
    const auto mask = random_masks(count, images.size(2), images.size(3), generator).to(device_);
    concat = {images * mask, mask};
  }
  if (low_res_size_ > 0) concat.push_back(enlarged(images, indices, for_training, generator));
  if (!concat.empty()) batch["concat"] = torch::cat(concat, 1);
  return batch;
}

Batch GLIDELoader::with_noise(Batch batch, at::Generator& generator) const {
  const auto sizes = batch.at("x0").sizes();
  batch["noise"] = torch::randn(sizes, generator, torch::kFloat32).to(device_);
  batch["t"] = stratified_timesteps(sizes[0], num_train_timesteps_, /*shift=*/1, generator).to(device_);
  return batch;
}

Batch GLIDELoader::batch(std::int64_t number) {
  auto generator = generator_for(seed_, Stream::kStep, static_cast<std::uint64_t>(number));
  return with_noise(examples(order_.batch(number), /*for_training=*/true, generator), generator);
}

Batch GLIDELoader::held_out(const torch::Tensor& indices, at::Generator& generator) {
  return with_noise(examples(indices, /*for_training=*/false, generator), generator);
}

}  // namespace sfumato
