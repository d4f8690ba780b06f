#include "diffusion/samplers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sfumato {
namespace {

/// Denoiser that always returns the same x0, with the matching eps of x.
Denoiser towards(double x0) {
  return [x0](const torch::Tensor& x, const Evaluation& evaluation) {
    const auto& level = evaluation.level;
    const auto target = torch::full_like(x, x0);
    return Estimate{.x0 = target, .eps = (x - level.alpha * target) / level.sigma, .variance = {}};
  };
}

struct Moments {
  double mean, variance;
};

/// Returns the mean and variance over 90,000 draws of one step from a constant x.
Moments one_step(const std::string& sampler, const Step& step, SamplerOptions options) {
  NoiseSource noise({3});
  const auto denoise = towards(0.5);
  const std::vector<Step> steps = {step};
  const auto y = find_sampler(sampler).sample({.denoise = denoise,
                                               .x = torch::full({1, 1, 300, 300}, 1.5),
                                               .steps = steps,
                                               .noise = noise,
                                               .options = std::move(options),
                                               .on_step = {}});
  return {y.mean().item<double>(), y.var().item<double>()};
}

/// Returns Ho et al. 2020, eq. 6 and 7, from the betas of one stride of length 1.
Moments posterior(const Schedule& schedule, std::int64_t t, double x0, double x) {
  const double abar = schedule.alphas_cumprod()[t], before = schedule.alphas_cumprod()[t - 1];
  const double beta = schedule.betas()[t];
  return {.mean = std::sqrt(before) * beta / (1 - abar) * x0 + std::sqrt(1 - beta) * (1 - before) / (1 - abar) * x,
          .variance = (1 - before) / (1 - abar) * beta};
}

void expect_moments(const Moments& actual, const Moments& expected) {
  EXPECT_NEAR(actual.mean, expected.mean, 5 * std::sqrt(expected.variance / 90000) + 1e-6);
  EXPECT_NEAR(actual.variance, expected.variance, 5 * expected.variance * std::sqrt(2.0 / 90000));
}

TEST(Ddpm, StepsWithTheMeanAndVarianceOfThePosterior) {
  const Schedule schedule;
  for (const auto t : {1, 10, 500, 999}) {
    const Step step{schedule.level_at(t), schedule.level_at(t - 1)};
    expect_moments(one_step("ddpm", step, {.eta = 0, .variance_type = "fixed_small"}),
                   posterior(schedule, t, 0.5, 1.5));
  }
}

TEST(Ddpm, FixedLargeStepsWithBeta) {
  const Schedule schedule;
  const Step step{schedule.level_at(500), schedule.level_at(499)};
  const auto moments = one_step("ddpm", step, {.eta = 0, .variance_type = "fixed_large"});
  EXPECT_NEAR(moments.variance, schedule.betas()[500], 5 * schedule.betas()[500] * std::sqrt(2.0 / 90000));
}

TEST(Ddim, AtEtaOneHasTheMomentsOfDdpm) {
  const Schedule schedule;
  for (const auto t : {1, 10, 500, 999}) {
    const Step step{schedule.level_at(t), schedule.level_at(t - 1)};
    expect_moments(one_step("ddim", step, {.eta = 1, .variance_type = ""}), posterior(schedule, t, 0.5, 1.5));
  }
}

torch::Tensor run(const std::string& name, const Denoiser& denoise, std::int64_t count, SamplerOptions options = {}) {
  const Schedule schedule;
  const auto& sampler = find_sampler(name);
  const auto steps = make_steps(schedule, count, sampler.grid);
  NoiseSource noise({1, 2});
  const auto x = noise.draw({1, 4, 4});
  return sampler.sample(
      {.denoise = denoise, .x = x, .steps = steps, .noise = noise, .options = std::move(options), .on_step = {}});
}

TEST(Samplers, EveryOneArrivesAtTheX0ThatIsAlwaysPredicted) {
  for (const auto& sampler : samplers()) {
    const auto y = run(sampler.name, towards(0.25), 10);
    // DEIS, SA-Solver and TCD end at timestep 0 with some noise left: eps of up to 5 standard deviations.
    const auto end = make_steps(Schedule(), 10, sampler.grid).back().to;
    EXPECT_TRUE(torch::allclose(y, torch::full_like(y, 0.25 * end.alpha), 1e-5, 1e-5 + 5 * end.sigma)) << sampler.name;
    EXPECT_LT(end.sigma, 0.011) << sampler.name;
  }
}

/// Returns schedules of the continuous processes with each of their ends.
std::vector<Schedule> continuous_schedules() {
  std::vector<Schedule> schedules;
  for (const auto& json : std::vector<Json>{
           {{"_class_name", "EDMEulerScheduler"}},
           {{"_class_name", "EDMDPMSolverMultistepScheduler"}, {"sigma_schedule", "exponential"}, {"sigma_data", 2.0}},
           {{"_class_name", "EDMEulerScheduler"}, {"final_sigmas_type", "sigma_min"}},
           {{"_class_name", "IPNDMScheduler"}},
           {{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {"shift", 3.0}}})
    schedules.emplace_back(ScheduleConfig::from_json(json));
  return schedules;
}

TEST(Samplers, OfAContinuousProcessArriveAtTheX0ThatIsAlwaysPredictedOrAreRefused) {
  const auto denoise = towards(0.25);
  int refused = 0;
  for (const auto& schedule : continuous_schedules())
    for (const auto& sampler : samplers()) {
      if (sampler.name == "tcd") continue;
      SCOPED_TRACE(sampler.name + " with " + schedule.config().to_json().dump());
      const auto steps = make_steps(schedule, 10, sampler.grid);
      try {
        check_start(sampler, steps);
      } catch (const std::invalid_argument&) {
        ++refused;
        continue;
      }
      NoiseSource noise({1, 2});
      const auto x = noise.draw({1, 4, 4}) * initial_noise_scale(schedule, steps, sampler.grid);
      const auto y = sampler.sample({.denoise = denoise,
                                     .x = x,
                                     .steps = steps,
                                     .noise = noise,
                                     .options = {.timestep_scaling = std::numeric_limits<double>::infinity()},
                                     .on_step = {}});
      // IPNDM starts from x0 = 0 at alpha = 0, as in the reference, and its later slopes differ from the first.
      const double start = sampler.name == "ipndm" && steps.front().from.alpha == 0 ? 0.15 : 0;
      // At sigma_min, eps of up to 5 standard deviations is left. From sigma 80 on, float32 keeps 1e-5 of x0.
      const double tolerance = 1e-5 + start + 5 * steps.back().to.sigma;
      EXPECT_TRUE(torch::allclose(y, torch::full_like(y, 0.25), 1e-4, tolerance)) << y;
      EXPECT_LE(steps.back().to.ratio(), 0.0021);
    }
  EXPECT_GT(refused, 0);
}

TEST(Samplers, FromNoiseAloneAreRefusedWhereTheyDivideByAlpha) {
  const Schedule schedule(ScheduleConfig::from_json({{"_class_name", "IPNDMScheduler"}}));
  for (const auto& sampler : samplers()) {
    if (sampler.name == "tcd") continue;
    const auto steps = make_steps(schedule, 5, sampler.grid);
    if (starts_without_signal(sampler)) {
      EXPECT_NO_THROW(check_start(sampler, steps)) << sampler.name;
    } else {
      EXPECT_THROW(check_start(sampler, steps), std::invalid_argument) << sampler.name;
      EXPECT_NO_THROW(check_start(sampler, last_steps(steps, 5, 0.5))) << sampler.name;
    }
  }
}

/// The weights of SA-Solver reproduce the contribution of a prediction that is a polynomial in lambda.
TEST(SaSolver, AtTauZeroFollowsAnX0ThatIsLinearInLambda) {
  // dx/dlambda of x / sigma is e^lambda x0; for x0 = lambda the solution is x / sigma = e^lambda (lambda - 1) + c.
  const auto level = [](double lambda) {
    const double alpha = 1 / std::sqrt(1 + std::exp(-2 * lambda));
    return Level{.t = 0, .alpha = alpha, .sigma = alpha * std::exp(-lambda)};
  };
  const Denoiser denoise = [](const torch::Tensor& x, const Evaluation& evaluation) {
    const auto& at = evaluation.level;
    return Estimate{.x0 = torch::full_like(x, std::log(at.alpha / at.sigma)), .eps = {}, .variance = {}};
  };
  std::vector<Step> steps;
  for (const double lambda : {-1.0, -0.7, -0.2, 0.1, 0.5, 0.8}) steps.push_back({level(lambda), level(lambda + 0.01)});
  for (std::size_t i = 0; i + 1 < steps.size(); ++i) steps[i].to = steps[i + 1].from;
  NoiseSource noise({1});
  const double start = std::exp(-1.0) * -2.0;  // c = 0
  torch::Tensor y;
  for (const std::int64_t order : {3, 4}) {
    y = sample_sa_solver({.denoise = denoise,
                          .x = torch::full({1, 1, 1, 1}, start * steps[0].from.sigma),
                          .steps = steps,
                          .noise = noise,
                          .options = {.solver = {.algorithm_type = "data_prediction",
                                                 .predictor_order = order,
                                                 .corrector_order = order,
                                                 .lower_order_final = false}},
                          .on_step = {}});
    const auto& end = steps.back().to;
    const double lambda = std::log(end.alpha / end.sigma);
    // The first step's corrector is of second order, with h^2 / 2 for its first moment: exact to O(h^3) of a small
    // part.
    EXPECT_NEAR(y.item<double>(), end.sigma * std::exp(lambda) * (lambda - 1), 5e-3) << order;
  }
}

/// With a perfect denoiser the path is straight, and the history of a multistep method is constant.
TEST(PerfectDenoiser, IsFollowedToTheImageFromWithinTheSchedule) {
  const Schedule schedule(ScheduleConfig::from_json({{"_class_name", "PNDMScheduler"},
                                                     {"beta_schedule", "scaled_linear"},
                                                     {"skip_prk_steps", true},
                                                     {"set_alpha_to_one", true},
                                                     {"steps_offset", 1}}));
  const auto denoise = towards(0.25);
  for (const std::string name : {"pndm", "lms", "dpm++2s", "ipndm"}) {
    const auto& sampler = find_sampler(name);
    const auto all = make_steps(schedule, 10, sampler.grid);
    const auto steps = last_steps(all, 10, 0.5);
    NoiseSource noise({1});
    const auto image = torch::full({1, 4, 8, 8}, 0.25);
    const auto y = sampler.sample({.denoise = denoise,
                                   .x = add_noise(image, noise.draw_like(image), steps.front().from),
                                   .steps = steps,
                                   .noise = noise,
                                   .options = {},
                                   .on_step = {},
                                   .skipped = all.size() - steps.size()});
    // float32: some ten steps of rounding.
    EXPECT_LT((y - image).abs().max().item<double>(), 1e-5) << name;
  }
}

TEST(Ddim, SameNoiseAtAnyStepCountGivesNearlyTheSameImage) {
  // The exact posterior mean for data N(0, 0.5^2): a linear flow, to whose end DDIM converges at first order.
  const Denoiser gaussian = [](const torch::Tensor& x, const Evaluation& evaluation) {
    const auto& level = evaluation.level;
    const double total = 0.25 * level.alpha * level.alpha + level.sigma * level.sigma;
    return Estimate{.x0 = 0.25 * level.alpha / total * x, .eps = level.sigma / total * x, .variance = {}};
  };
  const auto coarse = run("ddim", gaussian, 100), fine = run("ddim", gaussian, 1000);
  EXPECT_LT((coarse - fine).abs().max().item<double>(), 0.05 * fine.abs().max().item<double>());
  const auto eta = run("ddim", gaussian, 100, {.eta = 1, .variance_type = ""});
  EXPECT_GT((eta - fine).abs().max().item<double>(), 0.3 * fine.abs().max().item<double>());
}

TEST(Ddim, OfTheInvertedNoiseGivesTheImageBack) {
  const Schedule schedule;
  const auto steps = make_steps(schedule, 200, StepGrid::ddim);
  // Nearly straight, so that the inversion's use of the next timestep has little effect.
  const Denoiser denoise = [](const torch::Tensor& x, const Evaluation& evaluation) {
    const auto& level = evaluation.level;
    const double total = 0.25 * level.alpha * level.alpha + level.sigma * level.sigma;
    return Estimate{.x0 = 0.25 * level.alpha / total * x, .eps = level.sigma / total * x, .variance = {}};
  };
  NoiseSource noise({4});
  const auto image = 0.5 * noise.draw({1, 4, 4});
  const auto run_with = [&](SampleFunction sample, const torch::Tensor& x) {
    return sample({.denoise = denoise, .x = x, .steps = steps, .noise = noise, .options = {}, .on_step = {}});
  };
  const auto inverted = run_with(invert_ddim, image);
  EXPECT_GT((inverted - image).abs().max().item<double>(), 0.3);
  // First order in the step, and so in 1/200: on this flow the steps' errors have one sign and add up to some percent.
  EXPECT_TRUE(torch::allclose(run_with(sample_ddim, inverted), image, 0.05, 1e-3));
}

TEST(Samplers, OnStepSeesEveryStepAndCanEnd) {
  const Schedule schedule;
  const auto denoise = towards(0);
  for (const auto& sampler : samplers()) {
    const auto steps = make_steps(schedule, 9, sampler.grid);
    NoiseSource noise({1});
    std::vector<int> seen;
    sampler.sample({.denoise = denoise,
                    .x = noise.draw({1, 2, 2}),
                    .steps = steps,
                    .noise = noise,
                    .options = {},
                    .on_step = [&](int step, int count, const torch::Tensor&) {
                      EXPECT_EQ(count, static_cast<int>(steps.size()));
                      seen.push_back(step);
                      return step < 3;
                    }});
    EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3})) << sampler.name;
  }
}

TEST(Samplers, OfAImageDoNotDependOnItsCompany) {
  const Schedule schedule;
  const Denoiser denoise = [](const torch::Tensor& x, const Evaluation& evaluation) {
    const auto& level = evaluation.level;
    return Estimate{.x0 = torch::tanh(x), .eps = (x - level.alpha * torch::tanh(x)) / level.sigma, .variance = {}};
  };
  for (const auto& sampler : samplers()) {
    const auto steps = make_steps(schedule, 5, sampler.grid);
    const auto image = [&](const std::vector<std::uint64_t>& seeds, std::int64_t index) {
      NoiseSource noise(seeds);
      const auto x = noise.draw({1, 4, 4});
      const SamplerOptions options{.eta = 1, .variance_type = "fixed_small"};
      return sampler.sample(
          {.denoise = denoise, .x = x, .steps = steps, .noise = noise, .options = options, .on_step = {}})[index];
    };
    EXPECT_TRUE(torch::allclose(image({8}, 0), image({3, 8, 5}, 1), 1e-6, 1e-6)) << sampler.name;
  }
}

TEST(Samplers, RefuseWhatTheyDoNotKnow) {
  EXPECT_THROW(find_sampler("ddjm"), std::invalid_argument);
  EXPECT_THROW(run("ddim", towards(0), 5, {.eta = 1.5, .variance_type = ""}), std::invalid_argument);
  EXPECT_THROW(run("ddpm", towards(0), 5, {.eta = 0, .variance_type = "learned_range"}), std::invalid_argument);
  EXPECT_THROW(run("ddpm", towards(0), 5, {.eta = 0, .variance_type = "wide"}), std::invalid_argument);
}

}  // namespace
}  // namespace sfumato
