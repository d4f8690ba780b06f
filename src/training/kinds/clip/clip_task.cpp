#include "training/kinds/clip/clip_task.h"

#include <algorithm>

#include "diffusion/schedule_config.h"
#include "training/contrastive_loss.h"
#include "training/grid.h"
#include "training/loading/captioned_pack.h"
#include "training/loading/timesteps.h"
#include "training/network_parameters.h"
#include "training/recipe_values.h"

namespace sfumato {
namespace {

constexpr std::int64_t kMeasuredImages = 512, kContrastBatch = 64;

void check_captions(const CLIPRecipe& recipe, const Pack& pack) {
  const auto text = recipe.config().text_config;
  check_vocab_size(pack, text.vocab_size, "clip: text_config");
  check_positions(pack, text.max_position_embeddings, "clip: text_config");
  if (!(pack.ids(torch::arange(pack.size())) == text.eos_token_id).any(1).all().item<bool>())
    refuse_misfit("clip: text_config: 'eos_token_id'", text.eos_token_id,
                  "the id that ends every caption of the pack: 1 with the tokenizer of this repository");
  if (recipe.vae.empty()) check_image_size(pack, recipe.data.image_size);
}

LatentCache clip_latents(const CLIPRecipe& recipe, const TaskContext& context, Pack& pack) {
  check_captions(recipe, pack);
  if (recipe.vae.empty()) return {};
  auto cache = cache_latents(context.run, recipe.vae, latent_source(pack, context.device), context.on_encoded);
  const auto vision = recipe.config().vision_config;
  check_latent_channels(cache.latents, "clip: vision_config: 'num_channels'", vision.num_channels);
  check_latent_side(cache.latents, "clip: vision_config: 'image_size'", vision.image_size);
  return cache;
}

}  // namespace

CLIPLoader::CLIPLoader(const CLIPRecipe& recipe, Pack& pack, torch::Tensor latents, torch::Device device)
    : seed_(recipe.seed),
      num_train_timesteps_(recipe.noised ? ScheduleConfig::from_json(recipe.scheduler).num_train_timesteps : 0),
      pack_(pack),
      latents_(std::move(latents)),
      device_(device),
      order_(recipe.seed, pack.size() - pack.held_out(), recipe.batch_size) {}

Batch CLIPLoader::examples(const torch::Tensor& indices, at::Generator& generator) {
  const auto x0 = x0_of(pack_, latents_, indices, device_);
  Batch batch{{"x0", x0}, {"ids", pack_.ids(indices).to(device_)}};
  if (num_train_timesteps_ == 0) return batch;
  batch["noise"] = torch::randn(x0.sizes(), generator, torch::kFloat32).to(device_);
  batch["t"] = stratified_timesteps(x0.size(0), num_train_timesteps_, /*shift=*/1, generator).to(device_);
  return batch;
}

Batch CLIPLoader::batch(std::int64_t number) {
  auto generator = generator_for(seed_, Stream::kStep, static_cast<std::uint64_t>(number));
  return examples(order_.batch(number), generator);
}

CLIPTask::CLIPTask(const CLIPRecipe& recipe, const TaskContext& context)
    : recipe_(recipe),
      device_(context.device),
      pack_(open_pack(recipe.data, recipe.tokenizer, context)),
      cache_(clip_latents(recipe, context, pack_)),
      objective_(recipe, context.device),
      loader_(recipe, pack_, cache_.latents, context.device) {
  objective_.clip->initialize(generator_for(recipe.seed, Stream::kInitialisation, 0));
  objective_.place();
}

std::unique_ptr<Objective> CLIPTask::new_objective() const {
  return placed_objective<CLIPObjective>(recipe_, device_);
}

void CLIPTask::init_from(const std::filesystem::path& folder) {
  copy_weights(*objective_.clip, folder, CLIPModelImpl::rename_key);
}

Batch CLIPTask::held_out(const torch::Tensor& indices, bool clean) {
  auto generator =
      generator_for(recipe_.seed, Stream::kSample, static_cast<std::uint64_t>(indices[0].item<std::int64_t>()));
  auto batch = loader_.examples(indices, generator);
  if (clean && recipe_.noised) batch["t"] = torch::zeros_like(batch.at("t"));
  return batch;
}

CLIPTask::Measures CLIPTask::measure(bool clean) {
  const auto indices = last_indices(pack_, kMeasuredImages, kContrastBatch);
  Measures sums;
  for (const auto& part : indices.split(kContrastBatch)) {
    const auto batch = held_out(part, clean);
    const auto logits = objective_.logits(batch), same = same_texts(batch.at("ids"));
    sums.loss += contrastive_loss(logits, same).item<double>() * static_cast<double>(part.size(0));
    sums.accuracy += static_cast<double>(retrieves_text(logits, same).sum().item<std::int64_t>());
  }
  const auto count = static_cast<double>(indices.size(0));
  return {.loss = sums.loss / count, .accuracy = sums.accuracy / count};
}

Json CLIPTask::evaluate(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  const auto measures = measure(/*clean=*/false);
  Json json = {{"held_out_loss", measures.loss}, {"held_out_accuracy", measures.accuracy}};
  if (recipe_.noised) json["held_out_accuracy_clean"] = measure(/*clean=*/true).accuracy;
  return json;
}

torch::Tensor CLIPTask::sample_grid() {
  const torch::NoGradGuard no_grad;
  const auto indices = last_indices(pack_, kMeasuredImages, kContrastBatch);
  const auto batch = held_out(indices.narrow(0, 0, std::min(indices.size(0), kContrastBatch)), /*clean=*/true);
  const auto right = retrieves_text(objective_.logits(batch), same_texts(batch.at("ids")));
  const auto order = right.to(torch::kInt64).argsort(/*stable=*/true, 0, false);
  const auto x0 = batch.at("x0").index_select(0, order.slice(0, 0, recipe_.sample_count));
  return make_grid(cache_.vae ? cache_.vae->decode(cache_.vae->unscale(x0)) : x0, /*columns=*/8);
}

}  // namespace sfumato
