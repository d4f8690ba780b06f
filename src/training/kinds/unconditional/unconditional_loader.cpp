#include "training/kinds/unconditional/unconditional_loader.h"

#include "diffusion/schedule_config.h"
#include "training/loading/timesteps.h"

namespace sfumato {

UnconditionalLoader::UnconditionalLoader(const UnconditionalRecipe& recipe, ExampleSource& source, torch::Device device)
    : seed_(recipe.seed),
      horizontal_flip_(recipe.data.horizontal_flip),
      class_dropout_(recipe.data.class_dropout),
      num_train_timesteps_(ScheduleConfig::from_json(recipe.scheduler).num_train_timesteps),
      source_(source),
      device_(device),
      order_(recipe.seed, source.size() - source.held_out(), recipe.batch_size) {}

Batch UnconditionalLoader::examples(const torch::Tensor& indices, const torch::Tensor& mirrored) const {
  Batch batch{{"x0", source_.x0(indices, mirrored)}};
  if (source_.classes() > 0) batch["class_labels"] = source_.labels(indices).to(device_);
  return batch;
}

void UnconditionalLoader::add_noise_to(Batch& batch, at::Generator& generator) const {
  const auto sizes = batch.at("x0").sizes();
  batch["noise"] = torch::randn(sizes, generator, torch::kFloat32).to(device_);
  batch["t"] = stratified_timesteps(sizes[0], num_train_timesteps_, /*shift=*/1, generator).to(device_);
}

void UnconditionalLoader::drop_classes(Batch& batch, at::Generator& generator) const {
  if (class_dropout_ == 0) return;
  auto& labels = batch.at("class_labels");
  const auto dropped = torch::rand({labels.size(0)}, generator, torch::kFloat32) < class_dropout_;
  labels = labels.masked_fill(dropped.to(device_), source_.classes());
}

Batch UnconditionalLoader::batch(std::int64_t number) {
  auto generator = generator_for(seed_, Stream::kStep, static_cast<std::uint64_t>(number));
  const auto indices = order_.batch(number);
  auto mirrored = torch::rand({indices.size(0)}, generator, torch::kFloat32) < 0.5;
  if (!horizontal_flip_) mirrored = torch::zeros_like(mirrored);
  auto batch = examples(indices, mirrored);
  drop_classes(batch, generator);
  add_noise_to(batch, generator);
  return batch;
}

Batch UnconditionalLoader::held_out(const torch::Tensor& indices, at::Generator& generator) const {
  auto batch = examples(indices, torch::zeros({indices.size(0)}, torch::kBool));
  add_noise_to(batch, generator);
  return batch;
}

}  // namespace sfumato
