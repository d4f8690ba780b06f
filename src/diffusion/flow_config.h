#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sfumato {

/// Keys of FlowMatchEulerDiscreteScheduler, with its defaults.
struct FlowConfig {
  double shift = 1;                           ///< of sigma towards noise (Esser et al. 2024, eq. 23)
  bool use_dynamic_shifting = false;          ///< shifts by mu instead of `shift`
  double base_shift = 0.5, max_shift = 1.15;  ///< mu at the next two lengths
  std::int64_t base_image_seq_len = 256, max_image_seq_len = 4096;  ///< in tokens
  std::string time_shift_type = "exponential";                      ///< shifts by exp(mu) or, with linear, by mu
  std::optional<double> shift_terminal;  ///< the last sigma above 0, to which all are stretched
  bool invert_sigmas = false;            ///< timesteps rise from noise to image, and the output has the opposite sign
  bool stochastic_sampling = false;      ///< x0 is renoised to the next level
  std::optional<double> mu = {};         ///< not a key, but set_timesteps' argument: dynamic_shift of an image's size
};

/// Calls `visit` with each key and the member for it.
template <class Config, class Visit>
void for_each_flow_member(Config& config, Visit visit) {
  visit("shift", config.shift);
  visit("use_dynamic_shifting", config.use_dynamic_shifting);
  visit("base_shift", config.base_shift);
  visit("max_shift", config.max_shift);
  visit("base_image_seq_len", config.base_image_seq_len);
  visit("max_image_seq_len", config.max_image_seq_len);
  visit("time_shift_type", config.time_shift_type);
  visit("shift_terminal", config.shift_terminal);
  visit("invert_sigmas", config.invert_sigmas);
  visit("stochastic_sampling", config.stochastic_sampling);
}

}  // namespace sfumato
