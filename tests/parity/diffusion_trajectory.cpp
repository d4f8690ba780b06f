#include "parity/diffusion_trajectory.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "core/files.h"
#include "diffusion/pndm_steps.h"
#include "diffusion/prediction.h"

namespace sfumato::parity {

Golden Golden::load() {
  const char* folder = std::getenv("SFUMATO_PARITY_DIR");
  TORCH_CHECK(folder, "SFUMATO_PARITY_DIR is not set");
  Golden golden{.cases = read_json(std::filesystem::path(folder) / "cases.json"), .values = {}};
  const auto bytes = read_file(std::filesystem::path(folder) / "latents.f32");
  golden.values.resize(bytes.size() / sizeof(float));
  std::memcpy(golden.values.data(), bytes.data(), bytes.size());
  return golden;
}

torch::Tensor Golden::latents(const Json& one, std::int64_t count) const {
  const auto offset = one.at("offset").get<std::size_t>();
  TORCH_CHECK(offset + count * 128 <= values.size(), "latents.f32 is too short");
  return torch::from_blob(const_cast<float*>(values.data()) + offset, {count, 2, 4, 4, 4}).clone();
}

Backbone toy_network(const std::string& variance_type, double t_error) {
  return [variance_type, t_error](const torch::Tensor& x, const Evaluation& evaluation, const Condition&) {
    const double t = evaluation.level.t + t_error;
    const auto raw = std::cos(0.9 * t) * torch::tanh(x) + std::sin(0.7 * t) * torch::cos(2.0 * x);
    if (!variance_type.starts_with("learned")) return raw;
    const auto variance = torch::tanh(x + std::sin(0.5 * t));
    return torch::cat({raw, variance_type == "learned" ? variance.square() : variance}, 1);
  };
}

Schedule schedule_of(const Json& one) {
  auto config = ScheduleConfig::from_json(one.at("config"));
  config.sigma_schedule = one.value("schedule", config.sigma_schedule);
  config.gamma = one.value("eta", config.gamma);
  if (one.contains("mu")) config.flow.mu = one.at("mu").get<double>();
  return Schedule(config);
}

Sampler sampler_of(const Json& one) {
  const auto name = one.at("sampler").get<std::string>();
  if (name != "ddim_inverse") return find_sampler(name);
  return {.name = name, .label = "", .description = "", .grid = StepGrid::ddim, .sample = invert_ddim};
}

std::vector<Step> steps_of(const Json& one, const Schedule& schedule) {
  const auto count = one.at("steps").get<std::int64_t>();
  const auto all = make_steps(schedule, count, sampler_of(one).grid);
  if (!one.contains("strength")) return all;
  const auto steps = last_steps(all, count, one.at("strength").get<double>());
  const bool counts_anew = one.contains("multistep_start") && sampler_of(one).grid == StepGrid::pndm;
  return counts_anew ? pndm_counted_anew(schedule, steps, count) : steps;
}

/// True where the reference's x is x0 + (sigma / alpha) eps: EDM's classes, and of betas those that go by sigma, but
/// for the solvers.
bool reference_keeps_scaled(const ScheduleConfig& config, StepGrid grid) {
  if (config.process != "betas") return config.process == "edm";
  return goes_by_sigma(grid) && !is_solver(grid);
}

torch::Tensor trajectory(const Json& one, double t_error) {
  const auto schedule = schedule_of(one);
  const auto sampler = sampler_of(one);
  const auto steps = steps_of(one, schedule);
  const auto& config = schedule.config();
  const auto& variance_type = config.variance_type;
  const auto denoise = make_denoiser(toy_network(variance_type, t_error), {}, Prediction::of(config));
  NoiseSource noise({5, 6});
  std::vector<torch::Tensor> latents;
  const bool keeps_scaled = reference_keeps_scaled(config, sampler.grid);
  const auto initial = noise.draw(at::IntArrayRef(kShape).slice(1));
  const auto all = make_steps(schedule, one.at("steps").get<std::int64_t>(), sampler.grid);
  std::vector<Level> skipped;
  if (one.contains("multistep_start"))
    for (std::size_t i = 0; i + steps.size() < all.size(); ++i) skipped.push_back(all[i].from);
  double scale = initial_noise_scale(schedule, all, sampler.grid);
  if (keeps_scaled) scale *= steps.front().from.alpha / all.front().from.alpha;
  sampler.sample({.denoise = denoise,
                  .x = initial * scale,
                  .steps = steps,
                  .noise = noise,
                  .options = {.eta = one.value("eta", 0.0),
                              .variance_type = variance_type,
                              .prediction_type = config.prediction_type,
                              .solver = config.solver,
                              .timestep_scaling = config.timestep_scaling,
                              .skipped_levels = skipped},
                  .on_step =
                      [&](int step, int count, const torch::Tensor& x) {
                        // The last is what a pipeline decodes.
                        const bool is_last = step + 1 == count;
                        latents.push_back(keeps_scaled && !is_last ? x / steps[step].to.alpha : x);
                        return true;
                      },
                  .skipped = all.size() - steps.size()});
  return torch::stack(latents);
}

double worst_step_error(const torch::Tensor& actual, const torch::Tensor& expected) {
  TORCH_CHECK(actual.sizes() == expected.sizes(), actual.sizes(), " against ", expected.sizes());
  const auto error = (actual - expected).abs().flatten(1).amax(1) / expected.abs().flatten(1).amax(1);
  return error.isnan().any().item<bool>() ? INFINITY : error.max().item<double>();
}

}  // namespace sfumato::parity
