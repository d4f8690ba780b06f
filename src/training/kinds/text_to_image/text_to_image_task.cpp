#include "training/text_to_image_task.h"

#include <algorithm>
#include <stdexcept>

#include "diffusion/guidance.h"
#include "diffusion/prediction.h"
#include "diffusion/samplers.h"
#include "diffusion/steps.h"
#include "training/autocast.h"
#include "training/emphasis.h"
#include "training/grid.h"
#include "training/network_parameters.h"

namespace sfumato {
namespace {

constexpr std::int64_t kHeldOutLatents = 256;
constexpr std::int64_t kLatentBatch = 64;
constexpr std::int64_t kGridColumns = 4;

/// One timestep in each of N equal parts of the schedule: the batch's mean loss then varies less from step to step
/// than with independent ones (Kingma et al. 2021, appendix I.1). A `shift` above 1 moves them towards noise.
torch::Tensor stratified_timesteps(std::int64_t count, std::int64_t timesteps, double shift, at::Generator& generator) {
  const auto within = torch::rand({count}, generator, torch::kFloat32);
  auto position = (torch::arange(count, torch::kFloat32) + within) / static_cast<double>(count);
  if (shift != 1) position = shift * position / (1 + (shift - 1) * position);
  return (position * static_cast<double>(timesteps)).to(torch::kInt64).clamp(0, timesteps - 1);
}

/// What only the pack and the latents can tell of the networks' sizes.
void check_ids(const Pack& pack, const T5EncoderModelConfig& config) {
  const auto largest = pack.ids(torch::arange(pack.size())).max().item<std::int64_t>();
  if (largest >= config.vocab_size)
    throw std::invalid_argument("text_encoder: 'vocab_size' is " + std::to_string(config.vocab_size) +
                                "; expected more than the pack's token ids, which go up to " + std::to_string(largest));
}

LatentCache latents_for(const UNet2DConditionModelConfig& config, LatentCache cache) {
  const auto channels = cache.latents.size(1);
  if (config.in_channels != channels)
    throw std::invalid_argument("unet: 'in_channels' is " + std::to_string(config.in_channels) +
                                "; expected the autoencoder's 'latent_channels', " + std::to_string(channels));
  return cache;
}

std::vector<std::uint64_t> probe_seeds(std::uint64_t seed, std::int64_t count) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < count; ++i) seeds.push_back(seed + static_cast<std::uint64_t>(i));
  return seeds;
}

}  // namespace

TextToImageTask::TextToImageTask(const Recipe& recipe, const RunFolder& run, torch::Device device,
                                 const OnEncoded& on_encoded)
    : recipe_(recipe),
      device_(device),
      pack_(recipe.data.pack, recipe.data.image_size),
      objective_(recipe, device),
      order_(recipe.seed, emphasised_examples(pack_, recipe.data.emphasis), recipe.batch_size),
      cache_((check_ids(pack_, objective_.text_encoder->config()),
              latents_for(objective_.unet->config(), cache_latents(run, recipe, pack_, device, on_encoded)))) {
  const torch::NoGradGuard no_grad;
  // For the export: what the model has words for.
  if (const auto things = pack_.things(); !things.empty()) write_json(run.path() / "things.json", things);
  auto& unet = *objective_.unet;
  initialize(unet, generator_for(recipe.seed, Stream::kInitialisation, 0));
  unet.conv_out->weight.zero_();  // the first prediction is 0, the mean of what is to be predicted
  unet.conv_out->bias.zero_();
  initialize(*objective_.text_encoder, generator_for(recipe.seed, Stream::kInitialisation, 1));
  objective_.place();
}

std::unique_ptr<Objective> TextToImageTask::new_objective() const {
  auto objective = std::make_unique<TextToImageObjective>(recipe_, device_);
  objective->place();
  return objective;
}

void TextToImageTask::init_from(const std::filesystem::path& folder) {
  copy_weights(*objective_.unet, folder / "unet", UNet2DConditionModelImpl::rename_key);
  copy_weights(*objective_.text_encoder, folder / "text_encoder", T5EncoderModelImpl::rename_key);
}

Batch TextToImageTask::examples(const torch::Tensor& indices) const {
  const auto latents = cache_.latents.index_select(0, indices).to(device_, torch::kFloat32);
  return {{"latents", latents.contiguous(torch::MemoryFormat::ChannelsLast)}, {"ids", pack_.ids(indices).to(device_)}};
}

void TextToImageTask::drop_captions(Batch& batch, at::Generator& generator) const {
  auto& ids = batch.at("ids");
  const auto dropped = torch::rand({ids.size(0), 1}, generator, torch::kFloat32) < recipe_.data.caption_dropout;
  ids = torch::where(dropped.to(device_), pack_.empty_ids().to(device_), ids);
}

void TextToImageTask::add_noise_to(Batch& batch, double shift, at::Generator& generator) const {
  const auto sizes = batch.at("latents").sizes();
  batch["noise"] = torch::randn(sizes, generator, torch::kFloat32).to(device_);
  batch["t"] = stratified_timesteps(sizes[0], objective_.schedule.num_train_timesteps(), shift, generator).to(device_);
}

Batch TextToImageTask::batch(std::int64_t step) {
  auto generator = generator_for(recipe_.seed, Stream::kStep, static_cast<std::uint64_t>(step));
  seed_dropout(recipe_.seed, static_cast<std::uint64_t>(step));
  auto batch = examples(order_.batch(step));
  drop_captions(batch, generator);
  add_noise_to(batch, recipe_.loss.timestep_shift, generator);
  return batch;
}

Json TextToImageTask::evaluate() {
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  // With nothing held out the last pictures stand in.
  const auto count = std::min({kHeldOutLatents, std::max(pack_.held_out(), kLatentBatch), pack_.size()});
  double sum = 0;
  for (std::int64_t first = 0; first < count; first += kLatentBatch) {
    const auto length = std::min(kLatentBatch, count - first);
    const auto start = pack_.size() - count + first;
    auto generator = generator_for(recipe_.seed, Stream::kSample, static_cast<std::uint64_t>(first));
    auto batch = examples(torch::arange(start, start + length));
    add_noise_to(batch, /*shift=*/1, generator);
    sum += objective_.loss(batch).item<double>() * static_cast<double>(length);
  }
  return {{"held_out_loss", sum / static_cast<double>(count)}};
}

torch::Tensor TextToImageTask::sample_grid() {
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  auto& unet = *objective_.unet;
  auto& text_encoder = *objective_.text_encoder;
  const auto& schedule = objective_.schedule;
  const auto ids = pack_.probe_ids().to(device_);  // [P, L]
  const auto count = std::min(recipe_.sample.count, ids.size(0));
  const auto prompts = text_encoder.forward(ids.narrow(0, 0, count));
  const auto empty = text_encoder.forward(pack_.empty_ids().to(device_).unsqueeze(0)).expand_as(prompts);
  const GuidanceOptions guidance{.scale = recipe_.sample.guidance_scale};
  const auto states = is_guided(guidance) ? torch::cat({empty, prompts}) : prompts;
  const Network network = [&](const torch::Tensor& x, const Level& level) { return unet.forward(x, level.t, states); };
  const auto denoise = make_denoiser(classifier_free_guidance(network, guidance), Prediction::of(schedule.config()));
  const auto steps = make_steps(schedule, recipe_.sample.steps, StepGrid::ddim);
  NoiseSource noise(probe_seeds(recipe_.seed, count));
  const auto start = noise.draw(cache_.latents.sizes().slice(1)).to(device_);
  const auto latents = sample_ddim({.denoise = denoise,
                                    .x = start * initial_noise_scale(schedule, steps, StepGrid::ddim),
                                    .steps = steps,
                                    .noise = noise,
                                    .options = {},
                                    .on_step = {}});
  return make_grid(cache_.vae->decode(cache_.vae->unscale(latents)), kGridColumns);
}

}  // namespace sfumato
