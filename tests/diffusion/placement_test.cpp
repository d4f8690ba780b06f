#include "diffusion/guided_denoiser.h"
#include "diffusion/samplers.h"
#include "placements.h"

namespace sfumato {
namespace {

constexpr std::int64_t kSteps = 8;

ScheduleConfig config_of(const std::string& variance_type) {
  ScheduleConfig config;
  config.clip_sample = false;
  config.variance_type = variance_type;
  return config;
}

/// Network whose output, of unit size, depends on x and t. Its dtype is that of `placement`, and it has a
/// learned variance if `learned`. It requires x on `device`, in float32. With a steeper function of x, errors would
/// grow from step to step in any dtype.
Backbone toy(const Placement& placement, bool learned) {
  return [placement, learned](const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition) {
    TORCH_CHECK(x.scalar_type() == torch::kFloat32 && x.device() == placement.device, "a sampler's state is ",
                x.options());
    const auto scaled = condition.timestep_cond * x;
    const auto raw = 0.8 * torch::tanh(scaled) + std::cos(0.01 * evaluation.level.t) * torch::cos(scaled);
    return (learned ? torch::cat({raw, torch::tanh(scaled)}, 1) : raw).to(placement.dtype);
  };
}

struct Trial {
  std::string sampler;
  std::string variance_type = "fixed_small";
  double threshold = 0;  ///< the quantile of dynamic thresholding
};

/// Returns the latents after the last step, [2, 4, 8, 8].
torch::Tensor sampled(const Trial& trial, const Placement& placement, const OnStep& on_step = {}) {
  const Schedule schedule(config_of(trial.variance_type));
  const auto& sampler = find_sampler(trial.sampler);
  const auto steps = make_steps(schedule, kSteps, sampler.grid);
  auto prediction = Prediction::of(schedule.config());
  prediction.threshold = {.dynamic_ratio = trial.threshold, .dynamic_max = 3};
  const auto scaled_by = [&](double factor) {
    return Condition{.timestep_cond = torch::full({2, 1, 1, 1}, factor, placement.device)};
  };
  const GuidanceConditions conditions{.distinct = {{.negative = scaled_by(0.9), .positives = {scaled_by(1)}}},
                                      .of_step = std::vector<std::size_t>(steps.size(), 0)};
  const Denoiser denoise =
      GuidedDenoiser({toy(placement, trial.variance_type.starts_with("learned"))}, conditions,
                     {.scale = 1.5, .rescale = 0.5}, prediction, evaluation_count(steps, sampler.order));
  NoiseSource noise({3, 7});
  const auto start = noise.draw({4, 8, 8}) * initial_noise_scale(schedule, steps, sampler.grid);
  return sampler.sample({.denoise = denoise,
                         .x = start.to(placement.device),
                         .steps = steps,
                         .noise = noise,
                         .options = {.eta = 1, .variance_type = trial.variance_type},
                         .on_step = on_step});
}

std::vector<Trial> trials() {
  std::vector<Trial> all;
  for (const auto& sampler : samplers()) all.push_back({sampler.name});
  all.push_back({"ddpm", "learned_range"});
  all.push_back({"dpm++2m", "fixed_small", 0.9});
  return all;
}

class SamplersOn : public OnPlacement {};

// The output of a step is rounded as by four layers, of tanh and cos in either half. Guidance, a second evaluation and
// the extrapolation of a third-order solver amplify that twice: its square counts 16 times.
TEST_P(SamplersOn, EveryTrajectoryIsThatOfTheCpu) {
  for (const auto& trial : trials()) {
    const auto expected = sampled(trial, {}), actual = sampled(trial, GetParam());
    EXPECT_TRUE(actual.device() == GetParam().device && actual.scalar_type() == torch::kFloat32) << trial.sampler;
    EXPECT_LE(relative_error(actual, expected), tolerance(GetParam().dtype, 16 * kSteps)) << trial.sampler;
  }
}

INSTANTIATE_TEST_SUITE_P(Placements, SamplersOn, testing::ValuesIn(placements()), placement_name);

using SamplersOnCuda = OnCuda;

TEST_F(SamplersOnCuda, NeverMakeTheHostWaitForTheDevice) {
  for (const auto& trial : trials()) {
    std::optional<NoSynchronisation> guard;
    const OnStep on_step = [&](int step, int steps, const torch::Tensor&) {
      if (step == 0) guard.emplace();
      if (step + 1 == steps) guard.reset();
      return true;
    };
    EXPECT_NO_THROW(sampled(trial, {device_, torch::kBFloat16}, on_step)) << trial.sampler;
  }
}

}  // namespace
}  // namespace sfumato
