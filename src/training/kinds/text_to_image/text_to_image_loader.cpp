#include "training/kinds/text_to_image/text_to_image_loader.h"

#include "diffusion/schedule_config.h"
#include "training/kinds/text_to_image/oversampling.h"
#include "training/loading/timesteps.h"

namespace sfumato {

TextToImageLoader::TextToImageLoader(const TextToImageRecipe& recipe, const Pack& pack, torch::Tensor latents,
                                     torch::Device device)
    : seed_(recipe.seed),
      caption_dropout_(recipe.data.caption_dropout),
      timestep_shift_(recipe.loss.timestep_shift),
      num_train_timesteps_(ScheduleConfig::from_json(recipe.scheduler).num_train_timesteps),
      pack_(pack),
      latents_(std::move(latents)),
      device_(device),
      order_(recipe.seed, oversampled_examples(pack, recipe.data.oversampling), recipe.batch_size) {}

Batch TextToImageLoader::examples(const torch::Tensor& indices) const {
  const auto latents = latents_.index_select(0, indices).to(device_, torch::kFloat32);
  return {{"latents", latents.contiguous(torch::MemoryFormat::ChannelsLast)}, {"ids", pack_.ids(indices).to(device_)}};
}

void TextToImageLoader::drop_captions(Batch& batch, at::Generator& generator) const {
  auto& ids = batch.at("ids");
  const auto dropped = torch::rand({ids.size(0), 1}, generator, torch::kFloat32) < caption_dropout_;
  ids = torch::where(dropped.to(device_), pack_.empty_ids().to(device_), ids);
}

void TextToImageLoader::add_noise_to(Batch& batch, double shift, at::Generator& generator) const {
  const auto sizes = batch.at("latents").sizes();
  batch["noise"] = torch::randn(sizes, generator, torch::kFloat32).to(device_);
  batch["t"] = stratified_timesteps(sizes[0], num_train_timesteps_, shift, generator).to(device_);
}

Batch TextToImageLoader::batch(std::int64_t number) {
  auto generator = generator_for(seed_, Stream::kStep, static_cast<std::uint64_t>(number));
  auto batch = examples(order_.batch(number));
  drop_captions(batch, generator);
  add_noise_to(batch, timestep_shift_, generator);
  return batch;
}

Batch TextToImageLoader::held_out(const torch::Tensor& indices, at::Generator& generator) const {
  auto batch = examples(indices);
  add_noise_to(batch, /*shift=*/1, generator);
  return batch;
}

}  // namespace sfumato
