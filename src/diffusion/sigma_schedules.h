#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/schedule.h"

namespace sfumato {

/// Between which sigma / alpha n levels lie.
struct SigmaRange {
  const Schedule& schedule;
  double first;    ///< the noisiest of the grid
  double last;     ///< the cleanest of it, still above 0
  std::int64_t n;  ///< at least 1
  double rho = 7;  ///< of Karras et al. 2022, eq. 5
};

/// How sigma / alpha falls from noise to picture: a row of the table of schedules.
struct SigmaSchedule {
  std::string name;         ///< on the command line
  std::string label;        ///< in a picture's metadata, as AUTOMATIC1111's web UI writes its "Schedule type"
  std::string description;  ///< one line
  /// n values, the noisiest first; null for those of the timesteps themselves.
  std::vector<double> (*ratios)(const SigmaRange& range);
  /// Whether a scheduler that tells the network whole timesteps rounds them; else it cuts them, as diffusers does.
  bool whole_timesteps;
  bool of_timesteps = false;  ///< needs the numbered timesteps of a process of betas
};

const std::vector<SigmaSchedule>& sigma_schedules();

/// Throws std::invalid_argument naming the schedules that there are.
const SigmaSchedule& find_sigma_schedule(const std::string& name);

/// Karras et al. 2022, eq. 5 (`_convert_to_karras`).
std::vector<double> karras_ratios(const SigmaRange& range);

/// In equal factors (`_convert_to_exponential`).
std::vector<double> exponential_ratios(const SigmaRange& range);

/// k-diffusion's get_sigmas_polyexponential at its rho = 1: in equal factors too, but over the whole schedule.
std::vector<double> polyexponential_ratios(const SigmaRange& range);

/// Quantiles of the distribution Beta(0.6, 0.6), spread over the range (Lee et al. 2024, "Beta sampling is all you
/// need"; `_convert_to_beta`).
std::vector<double> beta_ratios(const SigmaRange& range);

/// At t = (T - 1) (1 - i/n), real-valued: Stability AI's generative models, AUTOMATIC1111's "SGM Uniform".
std::vector<double> sgm_uniform_ratios(const SigmaRange& range);

/// At the timesteps T - 1 - floor(i T / n): AUTOMATIC1111's "Simple".
std::vector<double> simple_ratios(const SigmaRange& range);

/// The levels that Sabour et al. 2024 ("Align your steps") optimised for 10 steps of Stable Diffusion 1.5 and of SDXL;
/// for other counts interpolated between them, log-linearly, as the authors say.
std::vector<double> align_your_steps_ratios(const SigmaRange& range);
std::vector<double> align_your_steps_xl_ratios(const SigmaRange& range);

}  // namespace sfumato
