#include "training/sampling.h"

#include "diffusion/prediction.h"
#include "diffusion/samplers.h"

namespace sfumato {

torch::Tensor draw_samples(Network network, const SampleSettings& settings) {
  const auto& schedule = settings.schedule;
  const auto& sampler = find_sampler(settings.sampler);
  const auto denoise = make_denoiser(std::move(network), Prediction::of(schedule.config()));
  const auto steps = make_steps(schedule, settings.steps, sampler.grid);
  NoiseSource noise(settings.seeds);
  const auto start = noise.draw(settings.shape).to(settings.device);
  return sampler.sample({.denoise = denoise,
                         .x = start * initial_noise_scale(schedule, steps, sampler.grid),
                         .steps = steps,
                         .noise = noise,
                         .options = {.eta = settings.eta, .variance_type = schedule.config().variance_type},
                         .on_step = {}});
}

std::vector<std::uint64_t> counted_seeds(std::uint64_t seed, std::int64_t count) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < count; ++i) seeds.push_back(seed + static_cast<std::uint64_t>(i));
  return seeds;
}

}  // namespace sfumato
