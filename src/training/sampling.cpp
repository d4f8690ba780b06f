#include "training/sampling.h"

#include <utility>

#include "diffusion/samplers.h"

namespace sfumato {

torch::Tensor draw_samples(Backbone backbone, const GuidanceTerms<Condition>& terms, const SampleSettings& settings) {
  const auto& schedule = settings.schedule;
  const auto& sampler = find_sampler(settings.sampler);
  const auto& config = schedule.config();
  const auto steps = make_steps(schedule, settings.steps, sampler.grid);
  const Denoiser denoise = GuidedDenoiser(
      {std::move(backbone)}, {.distinct = {terms}, .of_step = std::vector<std::size_t>(steps.size(), 0)},
      {.scale = settings.guidance_scale}, Prediction::of(config), evaluation_count(steps, sampler.order));
  NoiseSource noise(settings.seeds);
  const auto start = noise.draw(settings.shape).to(settings.device);
  return sampler.sample({.denoise = denoise,
                         .x = start * initial_noise_scale(schedule, steps, sampler.grid),
                         .steps = steps,
                         .noise = noise,
                         .options = {.eta = settings.eta,
                                     .variance_type = config.variance_type,
                                     .prediction_type = config.prediction_type,
                                     .solver = config.solver},
                         .on_step = {}});
}

std::vector<std::uint64_t> counted_seeds(std::uint64_t seed, std::int64_t count) {
  std::vector<std::uint64_t> seeds;
  for (std::int64_t i = 0; i < count; ++i) seeds.push_back(seed + static_cast<std::uint64_t>(i));
  return seeds;
}

}  // namespace sfumato
