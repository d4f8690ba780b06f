#include "diffusion/continuous_process.h"

#include <cmath>
#include <stdexcept>

#include "diffusion/sigma_schedules.h"

namespace sfumato {
namespace {

[[noreturn]] void refuse_schedule(const ScheduleConfig& config, const std::string& expected) {
  throw std::invalid_argument("schedule is '" + config.sigma_schedule + "', expected " + expected + " with " +
                              config.class_name);
}

/// Returns times from `range.first` to `range.last`, spaced by the config's sigma_schedule.
std::vector<double> spread(const SigmaRange& range) {
  const auto& config = range.schedule.config();
  const auto& spacing = find_sigma_schedule(config.sigma_schedule);
  if (spacing.of_timesteps) refuse_schedule(config, "karras, exponential, lu or beta");
  return spacing.ratios(range);
}

// EDM (Karras et al. 2022). Time is the noise scale s of x0 + s eps; the network's input is that divided by
// sqrt(s^2 + sigma_data^2).

std::vector<double> edm_times(const Schedule& schedule, std::int64_t n) {
  const auto& config = schedule.config();
  SigmaRange range{.schedule = schedule,
                   .first = config.sigma_max.value(),
                   .last = config.sigma_min.value(),
                   .n = n,
                   .rho = config.rho};
  // torch.linspace increases from the last, and a single value is its first.
  if (n == 1 && config.sigma_schedule == "exponential") range.first = range.last;
  return spread(range);
}

Level edm_level(const ScheduleConfig& config, double s) {
  const double alpha = 1 / std::hypot(s, config.sigma_data);
  return {.t = static_cast<float>(std::log(s) / 4), .alpha = alpha, .sigma = s * alpha};
}

double edm_time(double ratio) {
  return ratio;
}

/// Returns `init_noise_sigma`, which assumes 1 where the network's input has sigma_data.
double edm_initial_noise(const ScheduleConfig& config, const Level& first) {
  return std::hypot(config.sigma_max.value(), 1) * first.alpha;
}

// The angular process of IPNDMScheduler. Time falls from 1 to 0; sigma = sin^2(pi time / 2), alpha^2 + sigma^2 = 1, and
// the network receives the angle of (alpha, sigma) in quarters of a turn.

std::vector<double> ipndm_times(const Schedule& schedule, std::int64_t n) {
  if (schedule.config().sigma_schedule != "discrete") refuse_schedule(schedule.config(), "discrete");
  std::vector<double> times;
  for (std::int64_t i = 0; i < n; ++i) times.push_back(1 - static_cast<double>(i) / static_cast<double>(n));
  return times;
}

Level ipndm_level(const ScheduleConfig&, double time) {
  const double sigma = std::pow(std::sin(time * M_PI / 2), 2), alpha = std::sqrt(1 - sigma * sigma);
  return {.t = static_cast<float>(std::atan2(sigma, alpha) / M_PI * 2), .alpha = alpha, .sigma = sigma};
}

double ipndm_time(double ratio) {
  return std::asin(std::sqrt(ratio / std::hypot(1, ratio))) / M_PI * 2;
}

double unit_noise(const ScheduleConfig&, const Level&) {
  return 1;
}

// Flow matching (Lipman et al. 2023). Time is sigma, from 1 to 0, and alpha = 1 - sigma.

double shifted(double sigma, double factor) {
  return factor * sigma / (1 + (factor - 1) * sigma);
}

/// Returns the factor of `shifted` for the levels.
double shift_factor(const FlowConfig& flow) {
  if (!flow.use_dynamic_shifting) return flow.shift;
  if (!flow.mu)
    throw std::invalid_argument(
        "scheduler config: 'use_dynamic_shifting' is true, expected false where the image's "
        "size chooses no shift");
  return flow.time_shift_type == "linear" ? *flow.mu : std::exp(*flow.mu);
}

/// Stretches 1 - sigma so that the last sigma is shift_terminal. A single level, at 1, is unchanged.
void stretch_to_terminal(std::vector<double>& sigmas, double shift_terminal) {
  const double factor = (1 - sigmas.back()) / (1 - shift_terminal);
  if (factor == 0) return;
  for (auto& sigma : sigmas) sigma = 1 - (1 - sigma) / factor;
}

std::vector<double> flow_times(const Schedule& schedule, std::int64_t n) {
  const auto& config = schedule.config();
  const auto& flow = config.flow;
  const double factor = shift_factor(flow);
  // The range between the ends of the levels is shifted before them, so `shift` applies twice to the last one.
  const double least =
      shifted(1 / static_cast<double>(config.num_train_timesteps), flow.use_dynamic_shifting ? 1 : flow.shift);
  std::vector<double> sigmas;
  for (std::int64_t i = 0; i < n; ++i)
    sigmas.push_back(
        shifted(i == 0 ? 1 : std::lerp(1, least, static_cast<double>(i) / static_cast<double>(n - 1)), factor));
  if (flow.shift_terminal.value_or(0) != 0) stretch_to_terminal(sigmas, *flow.shift_terminal);
  if (config.sigma_schedule == "discrete") return sigmas;
  return spread({.schedule = schedule,
                 .first = config.sigma_max.value_or(sigmas.front()),
                 .last = config.sigma_min.value_or(sigmas.back()),
                 .n = n});
}

Level flow_level(const ScheduleConfig& config, double sigma) {
  const double part = config.flow.invert_sigmas ? 1 - sigma : sigma;
  return {.t = static_cast<float>(part * static_cast<double>(config.num_train_timesteps)),
          .alpha = 1 - sigma,
          .sigma = sigma};
}

double flow_time(double ratio) {
  return ratio / (1 + ratio);
}

}  // namespace

const ContinuousProcess* find_continuous_process(const std::string& name) {
  static const std::vector<ContinuousProcess> table = {
      {"edm", edm_times, edm_level, edm_time, edm_initial_noise},
      {"ipndm", ipndm_times, ipndm_level, ipndm_time, unit_noise},
      {"flow", flow_times, flow_level, flow_time, unit_noise},
  };
  if (name == "betas") return nullptr;
  for (const auto& process : table)
    if (process.name == name) return &process;
  throw std::invalid_argument("process is '" + name + "', expected betas, edm, ipndm or flow");
}

double dynamic_shift(const FlowConfig& flow, std::int64_t image_seq_len) {
  const double slope =
      (flow.max_shift - flow.base_shift) / static_cast<double>(flow.max_image_seq_len - flow.base_image_seq_len);
  return flow.base_shift + slope * static_cast<double>(image_seq_len - flow.base_image_seq_len);
}

}  // namespace sfumato
