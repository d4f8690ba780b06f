#include "diffusion/sigma_schedules.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>

#include "diffusion/beta_distribution.h"

namespace sfumato {
namespace {

/// Ten steps, given by the levels at their ends.
using AlignedSteps = std::array<double, 11>;

/// Returns numpy.linspace(0, 1, n).
std::vector<double> ramp(std::int64_t n) {
  std::vector<double> parts(n, 0);
  for (std::int64_t i = 1; i < n; ++i) parts[i] = static_cast<double>(i) / static_cast<double>(n - 1);
  return parts;
}

/// Interpolates the published levels, without the last: sampling ends at 0 instead.
std::vector<double> aligned_ratios(const AlignedSteps& published, std::int64_t n) {
  std::vector<double> ratios;
  for (std::int64_t i = 0; i < n; ++i) {
    const double place = static_cast<double>(i * (published.size() - 1)) / static_cast<double>(n);
    const auto before = static_cast<std::size_t>(place);
    const double part = place - static_cast<double>(before);
    ratios.push_back(std::exp(std::lerp(std::log(published[before]), std::log(published[before + 1]), part)));
  }
  return ratios;
}

}  // namespace

const std::vector<SigmaSchedule>& sigma_schedules() {
  static const std::vector<SigmaSchedule> table = {
      {"discrete", "Automatic", "the model's timesteps, as its timestep_spacing says", nullptr, true, true},
      {"karras", "Karras", "more levels where there is little noise (Karras et al. 2022)", karras_ratios, true},
      {"exponential", "Exponential", "each level the same factor below the one before", exponential_ratios, false},
      {"polyexponential", "Polyexponential", "as exponential, from the model's first timestep to its last",
       polyexponential_ratios, false, true},
      {"lu", "Lu", "as exponential, at whole timesteps (DPM-Solver's use_lu_lambdas)", exponential_ratios, true},
      {"beta", "Beta", "more levels at both ends (Lee et al. 2024)", beta_ratios, false},
      {"sgm_uniform", "SGM Uniform", "equal distances between timesteps, beginning at the last of all",
       sgm_uniform_ratios, true, true},
      {"simple", "Simple", "the model's own timesteps at equal distances, beginning at the last of all", simple_ratios,
       true, true},
      {"align_your_steps", "Align Your Steps",
       "optimised for few steps of Stable Diffusion 1, of XL with such a model (Sabour et al. 2024)",
       align_your_steps_ratios, true, true},
      {"align_your_steps_xl", "Align Your Steps", "the same for SDXL", align_your_steps_xl_ratios, true, true},
  };
  return table;
}

const SigmaSchedule& find_sigma_schedule(const std::string& name) {
  std::string known;
  for (const auto& schedule : sigma_schedules()) {
    if (schedule.name == name) return schedule;
    known += (known.empty() ? "" : ", ") + schedule.name;
  }
  throw std::invalid_argument("schedule is '" + name + "', expected one of " + known);
}

std::vector<double> karras_ratios(const SigmaRange& range) {
  const double rho = range.rho;
  std::vector<double> ratios;
  for (const auto part : ramp(range.n))
    ratios.push_back(std::pow(std::lerp(std::pow(range.first, 1 / rho), std::pow(range.last, 1 / rho), part), rho));
  return ratios;
}

std::vector<double> exponential_ratios(const SigmaRange& range) {
  std::vector<double> ratios;
  for (const auto part : ramp(range.n))
    ratios.push_back(std::exp(std::lerp(std::log(range.first), std::log(range.last), part)));
  return ratios;
}

std::vector<double> polyexponential_ratios(const SigmaRange& range) {
  const auto& all = range.schedule.ratios();
  return exponential_ratios({.schedule = range.schedule, .first = all.back(), .last = all.front(), .n = range.n});
}

std::vector<double> beta_ratios(const SigmaRange& range) {
  constexpr double kShape = 0.6;  // both parameters of the distribution
  std::vector<double> ratios;
  for (const auto part : ramp(range.n))
    ratios.push_back(std::lerp(range.last, range.first, beta_quantile(1 - part, kShape, kShape)));
  return ratios;
}

std::vector<double> sgm_uniform_ratios(const SigmaRange& range) {
  const auto first = static_cast<double>(range.schedule.num_train_timesteps() - 1);
  std::vector<double> ratios;
  for (std::int64_t i = 0; i < range.n; ++i) {
    const auto t = first * (1 - static_cast<double>(i) / static_cast<double>(range.n));
    ratios.push_back(i == 0 ? range.schedule.ratios().back() : range.schedule.level_at(t).ratio());
  }
  return ratios;
}

std::vector<double> simple_ratios(const SigmaRange& range) {
  const auto& all = range.schedule.ratios();
  const auto total = static_cast<std::int64_t>(all.size());
  std::vector<double> ratios;
  for (std::int64_t i = 0; i < range.n; ++i) ratios.push_back(all[total - 1 - i * total / range.n]);
  return ratios;
}

std::vector<double> align_your_steps_ratios(const SigmaRange& range) {
  static constexpr AlignedSteps kPublished = {14.615, 6.475, 3.861, 2.697, 1.886, 1.396,
                                              0.963,  0.652, 0.399, 0.152, 0.029};
  return aligned_ratios(kPublished, range.n);
}

std::vector<double> align_your_steps_xl_ratios(const SigmaRange& range) {
  static constexpr AlignedSteps kPublished = {14.615, 6.315, 3.771, 2.181, 1.342, 0.862,
                                              0.555,  0.380, 0.234, 0.113, 0.029};
  return aligned_ratios(kPublished, range.n);
}

}  // namespace sfumato
