#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// Range of sigma / alpha for n levels.
struct SigmaRange {
  const Schedule& schedule;
  double first;    ///< the noisiest of the grid
  double last;     ///< the cleanest of the grid, still above 0
  std::int64_t n;  ///< at least 1
  double rho = 7;  ///< of Karras et al. 2022, eq. 5
};

/// Sigma schedule, from noise to image: a row of the table of schedules.
struct SigmaSchedule {
  std::string name;         ///< on the command line
  std::string label;        ///< in an image's metadata, as "Schedule type" of AUTOMATIC1111's web UI
  std::string description;  ///< one line
  /// Returns n values, noisiest first; null for those of the timesteps themselves.
  std::vector<double> (*ratios)(const SigmaRange& range);
  /// True if a scheduler with whole timesteps rounds them; false if it truncates them, as in diffusers.
  bool whole_timesteps;
  bool of_timesteps = false;  ///< needs the numbered timesteps of a process of betas
};

const std::vector<SigmaSchedule>& sigma_schedules();

/// Throws std::invalid_argument that lists the available schedules.
const SigmaSchedule& find_sigma_schedule(const std::string& name);

/// Karras et al. 2022, eq. 5 (`_convert_to_karras`).
std::vector<double> karras_ratios(const SigmaRange& range);

/// Equal factors (`_convert_to_exponential`).
std::vector<double> exponential_ratios(const SigmaRange& range);

/// k-diffusion's get_sigmas_polyexponential at its rho = 1: equal factors too, but over the whole schedule.
std::vector<double> polyexponential_ratios(const SigmaRange& range);

/// Quantiles of the distribution Beta(0.6, 0.6), spread over the range (Lee et al. 2024, "Beta sampling is all you
/// need"; `_convert_to_beta`).
std::vector<double> beta_ratios(const SigmaRange& range);

/// Levels at t = (T - 1) (1 - i/n), real-valued: Stability AI's generative models, AUTOMATIC1111's "SGM Uniform".
std::vector<double> sgm_uniform_ratios(const SigmaRange& range);

/// Levels at the timesteps T - 1 - floor(i T / n): AUTOMATIC1111's "Simple".
std::vector<double> simple_ratios(const SigmaRange& range);

/// Levels optimised by Sabour et al. 2024 ("Align your steps") for 10 steps of Stable Diffusion 1.5 and of SDXL;
/// other counts are interpolated log-linearly between them, as the authors recommend.
std::vector<double> align_your_steps_ratios(const SigmaRange& range);
std::vector<double> align_your_steps_xl_ratios(const SigmaRange& range);

}  // namespace sfumato
