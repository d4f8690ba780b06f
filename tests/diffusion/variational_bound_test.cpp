#include "diffusion/variational_bound.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "diffusion/bits_per_dimension.h"

namespace sfumato {
namespace {

torch::Tensor scalar(double value) {
  return torch::tensor({value}, torch::kFloat64);
}

// Float64 against the closed form.
TEST(NormalKl, IsTheClosedForm) {
  EXPECT_EQ(normal_kl(scalar(0.3), scalar(-2), scalar(0.3), scalar(-2)).item<double>(), 0);
  const double s1 = 0.5, s2 = 2, gap = 0.7;
  const double expected = std::log(s2 / s1) + (s1 * s1 + gap * gap) / (2 * s2 * s2) - 0.5;
  const auto kl = normal_kl(scalar(0.2), scalar(2 * std::log(s1)), scalar(0.2 + gap), scalar(2 * std::log(s2)));
  EXPECT_NEAR(kl.item<double>(), expected, 1e-12);
}

torch::Tensor levels() {
  return torch::arange(256, torch::kFloat64) / 127.5 - 1;
}

// The levels' intervals share their ends, so the sum telescopes for any distribution function. Each of the
// outer levels may be clamped to 1e-12.
TEST(DiscretizedLikelihood, SumsToOneOverThe256Levels) {
  for (const double mean : {-1.3, -1.0, -0.2, 0.5, 0.99})
    for (const double std_dev : {0.003, 0.05, 0.4, 2.0}) {
      const auto log_likelihood =
          discretized_gaussian_log_likelihood(levels(), scalar(mean), scalar(std::log(std_dev)));
      EXPECT_NEAR(log_likelihood.exp().sum().item<double>(), 1, 256e-12 + 1e-9) << mean << " " << std_dev;
    }
}

// The approximation of the normal distribution function is within 3.3e-4 of it.
TEST(DiscretizedLikelihood, IsTheGaussiansProbabilityOfALevelsInterval) {
  const double mean = 0.1, std_dev = 0.3, x = 51 / 127.5 - 1;
  const auto cdf = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2)); };
  const double expected = cdf((x + 1.0 / 255 - mean) / std_dev) - cdf((x - 1.0 / 255 - mean) / std_dev);
  const auto found = discretized_gaussian_log_likelihood(scalar(x), scalar(mean), scalar(std::log(std_dev)));
  EXPECT_NEAR(std::exp(found.item<double>()), expected, 0.02 * expected);
}

ScheduleConfig config_of(const std::string& variance_type, std::int64_t timesteps = 1000) {
  ScheduleConfig config;
  config.num_train_timesteps = timesteps;
  config.beta_end = timesteps < 1000 ? 0.2 : 0.02;
  config.variance_type = variance_type;
  return config;
}

/// Returns the best eps per pixel for data of N(0, s^2): E[eps | x_t] = sigma x_t / (alpha^2 s^2 + sigma^2).
TimestepNetwork exact_network(const Schedule& schedule, double s) {
  return [&schedule, s](const torch::Tensor& x, const torch::Tensor& t) {
    const auto level = schedule.level_at(static_cast<double>(t[0].item<std::int64_t>()));
    return level.sigma / (level.alpha * level.alpha * s * s + level.sigma * level.sigma) * x;
  };
}

// For data N(0, s^2) and the exact eps, the KL divergence at t is the error of x0 alone: its posterior variance is
// v = s^2 sigma^2 / (alpha^2 s^2 + sigma^2), and with the posterior's own variance as the model's the term is
// on_x0^2 v / (2 variance), in nats. 4 standard errors of a mean of 3e5 squares are 1%.
TEST(VariationalBound, OfAKnownGaussianIsTheClosedForm) {
  const Schedule schedule(config_of("fixed_small"));
  const VariationalBound bound(schedule, torch::kCPU);
  const ForwardProcess process(schedule, torch::kCPU);
  const double s = 0.5;
  const auto network = exact_network(schedule, s);
  const auto x0 = s * torch::randn({100, 3, 32, 32}, seeded_generator(1), torch::kFloat32);
  for (const std::int64_t t : {1, 30, 400}) {  // later terms are below float32's resolution
    const auto times = torch::full({100}, t, torch::kInt64);
    const auto noise = torch::randn(x0.sizes(), seeded_generator(2), torch::kFloat32);
    const auto xt = process.add_noise(x0, noise, times);
    const auto found = bound.term(x0, xt, network(xt, times), times).mean().item<double>();
    const auto level = schedule.level_at(static_cast<double>(t)), to = schedule.level_at(static_cast<double>(t - 1));
    const double a = level.alpha * level.alpha, b = level.sigma * level.sigma, beta = schedule.betas()[t];
    const double on_x0 = to.alpha * beta / b, variance = to.sigma * to.sigma / b * beta;
    const double expected = on_x0 * on_x0 * (s * s * b / (a * s * s + b)) / (2 * variance) / M_LN2;
    EXPECT_NEAR(found, expected, 0.01 * expected) << t;
  }
}

/// Adds the exact variance of x_{t-1} given x_t, as learned_range interpolates it (Nichol & Dhariwal 2021, eq.
/// 15; at timestep 0 between the posterior's variance at timestep 1 and beta).
TimestepNetwork exact_network_with_variance(const Schedule& schedule, double s) {
  return [&schedule, s](const torch::Tensor& x, const torch::Tensor& t) {
    const auto index = t[0].item<std::int64_t>();
    const auto posterior = [&](std::int64_t i) {
      const double before = i == 0 ? 1 : schedule.alphas_cumprod()[i - 1];
      return schedule.betas()[i] * (1 - before) / (1 - schedule.alphas_cumprod()[i]);
    };
    const auto level = schedule.level_at(static_cast<double>(index));
    const double a = level.alpha * level.alpha, b = level.sigma * level.sigma, beta = schedule.betas()[index];
    const double before = index == 0 ? 1 : schedule.alphas_cumprod()[index - 1];
    const double on_x0 = std::sqrt(before) * beta / b;
    const double variance = posterior(index) + on_x0 * on_x0 * s * s * b / (a * s * s + b);
    const double low = std::log(posterior(std::max<std::int64_t>(index, 1)));
    const double part = (std::log(variance) - low) / (std::log(beta) - low);
    return torch::cat({exact_network(schedule, s)(x, t), torch::full_like(x, 2 * part - 1)}, 1);
  };
}

// For Gaussian data, the reverse steps are Gaussian too. With their exact moments the bound is the negative
// log-likelihood of the images' levels. Its terms are means over 12,288 values, each with a standard error of 1% or so.
TEST(VariationalBound, OfAPerfectModelIsTheNegativeLogLikelihood) {
  const double s = 0.25;
  const auto noise = torch::randn({16, 3, 16, 16}, seeded_generator(3), torch::kFloat32);
  const auto x0 = (s * noise).clamp(-1, 1).add(1).mul(127.5).round() / 127.5 - 1;
  const Schedule schedule(config_of("learned_range", 100));
  const auto bits = bits_per_dimension(exact_network_with_variance(schedule, s),
                                       VariationalBound(schedule, torch::kCPU), ForwardProcess(schedule, torch::kCPU),
                                       PredictionType::epsilon, x0, bound_timesteps(100), seeded_generator(4));
  const double square = x0.square().mean().item<double>();
  const double expected = 0.5 * std::log2(2 * M_PI * s * s) + square / (2 * s * s) / M_LN2 - std::log2(2.0 / 255);
  EXPECT_NEAR(bits.total, expected, 0.03);
}

TEST(VariationalBound, PriorIsTheKlFromTheStandardNormal) {
  const Schedule schedule(config_of("fixed_small"));
  const double product = schedule.alphas_cumprod().back();
  const auto x0 = torch::full({2, 3, 4, 4}, 0.5, torch::kFloat32);
  const double expected = 0.5 * (product * 0.25 + (1 - product) - 1 - std::log(1 - product)) / M_LN2;
  const auto found = VariationalBound(schedule, torch::kCPU).prior(x0);
  EXPECT_EQ(found.sizes(), (std::vector<std::int64_t>{2}));
  // Float32 around log(1 - 4e-5): 6e-8 of 1.
  EXPECT_NEAR(found[0].item<double>(), expected, 2e-7);
}

// v = -1 is the posterior's variance and v = 1 beta (Nichol & Dhariwal 2021, eq. 15): the fixed ones.
TEST(VariationalBound, LearnedRangeLiesBetweenTheFixedVariances) {
  const auto x0 = 0.5 * torch::randn({4, 3, 8, 8}, seeded_generator(1), torch::kFloat32);
  const auto xt = torch::randn({4, 3, 8, 8}, seeded_generator(2), torch::kFloat32);
  const auto eps = torch::randn({4, 3, 8, 8}, seeded_generator(3), torch::kFloat32);
  const auto t = torch::tensor({1L, 5L, 100L, 999L});
  const auto term = [&](const std::string& variance, const torch::Tensor& raw) {
    return VariationalBound(Schedule(config_of(variance)), torch::kCPU).term(x0, xt, raw, t);
  };
  const auto ones = torch::ones_like(eps);
  EXPECT_TRUE(torch::allclose(term("learned_range", torch::cat({eps, -ones}, 1)), term("fixed_small", eps), 1e-5));
  EXPECT_TRUE(torch::allclose(term("learned_range", torch::cat({eps, ones}, 1)), term("fixed_large", eps), 1e-5));
}

TEST(VariationalBound, IsTheSameForEveryPredictionOfTheSameX0) {
  auto config = config_of("fixed_small");
  const auto x0 = 0.5 * torch::randn({3, 3, 8, 8}, seeded_generator(1), torch::kFloat32);
  const auto eps = torch::randn({3, 3, 8, 8}, seeded_generator(3), torch::kFloat32);
  const auto t = torch::tensor({0L, 300L, 700L});
  const ForwardProcess process(Schedule(config), torch::kCPU);
  const auto xt = process.add_noise(x0, torch::randn({3, 3, 8, 8}, seeded_generator(2), torch::kFloat32), t);
  const auto guess = VariationalBound(Schedule(config), torch::kCPU).predicted_x0(xt, eps, t);
  const auto expected = VariationalBound(Schedule(config), torch::kCPU).term(x0, xt, eps, t);
  for (const auto* type : {"v_prediction", "sample", "flow_prediction"}) {
    config.prediction_type = type;
    const auto raw = process.target(parse_prediction_type(type), guess, eps, t);
    EXPECT_TRUE(torch::allclose(VariationalBound(Schedule(config), torch::kCPU).term(x0, xt, raw, t), expected, 1e-3))
        << type;
  }
}

TEST(VariationalBound, RefusesAVarianceThatItHasNoFormOf) {
  EXPECT_THROW(VariationalBound(Schedule(config_of("learned")), torch::kCPU), std::invalid_argument);
}

TEST(BoundTimesteps, AreAllOrPartsOfTheWholeScheduleWithTheDecoders) {
  const auto all = bound_timesteps(10);
  EXPECT_EQ(all.t, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(all.weights, std::vector<double>(10, 1.0));
  const auto some = bound_timesteps(10, 4);  // ends at 10^(1/3), 10^(2/3) and 10
  EXPECT_EQ(some.t, (std::vector<std::int64_t>{0, 1, 2, 5}));
  EXPECT_EQ(some.weights, (std::vector<double>{1, 1, 3, 5}));
  EXPECT_EQ(bound_timesteps(10, 10).t, all.t);
  EXPECT_THROW(bound_timesteps(10, 1), std::invalid_argument);
  EXPECT_THROW(bound_timesteps(10, 11), std::invalid_argument);
}

/// Returns eps = 0: the bound's terms are then those of x0 = x_t / alpha, which fall steeply with t.
torch::Tensor no_noise_found(const torch::Tensor& x, const torch::Tensor&) {
  return torch::zeros_like(x);
}

// 100 runs on 8 images, each with four draws for the 999 timesteps after the decoder's. The tolerance is four
// standard errors of the runs' mean, and the expected value, over 512 images, is exact to a part in 1000. The middle of
// each part instead of a drawn timestep gives a quarter less.
TEST(BitsPerDimension, OfFewTimestepsIsUnbiased) {
  const Schedule schedule(config_of("fixed_small"));
  const VariationalBound bound(schedule, torch::kCPU, 1);
  const ForwardProcess process(schedule, torch::kCPU);
  const auto bits = [&](std::int64_t images, std::int64_t count, std::uint64_t seed) {
    const auto noise = torch::randn({images, 1, 4, 4}, seeded_generator(seed), torch::kFloat32);
    const auto x0 = ((0.3 * noise).clamp(-1, 1).add(1) * 127.5).round() / 127.5 - 1;
    return bits_per_dimension(no_noise_found, bound, process, PredictionType::epsilon, x0, bound_timesteps(1000, count),
                              seeded_generator(seed + 1))
        .total;
  };
  const double expected = bits(512, 0, 1);
  std::vector<double> found;
  for (std::uint64_t run = 0; run < 100; ++run) found.push_back(bits(8, 5, 100 + 2 * run));
  const auto totals = torch::tensor(found, torch::kFloat64);
  const double error = totals.std().item<double>() / std::sqrt(100);
  EXPECT_LT(error, 0.02 * expected);
  EXPECT_NEAR(totals.mean().item<double>(), expected, 4 * error + 0.001 * expected);
}

TEST(BitsPerDimension, OfBatchesIsTheMeanOverTheirImages) {
  BitsPerDimension mean;
  accumulate(mean, {2, 3, 1, {{0}, {1}}, {2}, {1}, {0}});
  accumulate(mean, {1, 6, 4, {{0}, {1}}, {5}, {4}, {3}});
  EXPECT_EQ(mean.images, 3);
  EXPECT_DOUBLE_EQ(mean.total, 4);
  EXPECT_DOUBLE_EQ(mean.prior, 2);
  EXPECT_DOUBLE_EQ(mean.terms[0], 3);
  EXPECT_DOUBLE_EQ(mean.x0_mse[0], 1);
}

}  // namespace
}  // namespace sfumato
