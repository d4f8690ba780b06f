#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "diffusion/flow_config.h"
#include "diffusion/solver_config.h"

namespace sfumato {

/// Members of a diffusers folder's scheduler/scheduler_config.json that define the process and a network's training
/// on it. Names are diffusers' keys; the defaults are DDIMScheduler's.
struct ScheduleConfig {
  std::string class_name = "DDIMScheduler";
  std::string process = "betas";  ///< from the class: betas, or a row of continuous_process.cpp
  std::int64_t num_train_timesteps = 1000;
  double beta_start = 0.0001;
  double beta_end = 0.02;
  std::string beta_schedule = "linear";              ///< linear, scaled_linear or squaredcos_cap_v2
  std::optional<std::vector<double>> trained_betas;  ///< num_train_timesteps values, instead of beta_schedule
  bool rescale_betas_zero_snr = false;
  std::string timestep_spacing = "leading";  ///< leading, linspace or trailing
  std::int64_t steps_offset = 0;             ///< added to the timesteps of leading spacing
  bool set_alpha_to_one = true;              ///< DDIM's last step ends at alpha = 1, else at timestep 0
  /// Of sigma_schedules(), for the samplers that use sigma: the meaning of use_karras_sigmas, use_exponential_sigmas,
  /// use_beta_sigmas and use_lu_lambdas.
  std::string sigma_schedule = "discrete";
  std::string final_sigmas_type = "zero";  ///< zero, or sigma_min: the solvers and Euler end at timestep 0
  SolverConfig solver = {};
  /// For the multistep and singlestep solvers: timesteps with half the logarithm of the signal-to-noise ratio below it
  /// are omitted.
  std::optional<double> lambda_min_clipped;
  // Range of sigma / alpha for sigma schedules other than discrete, instead of the
  // grid's ends. For EulerDiscreteScheduler: linear, or log_linear with the discrete one in equal factors through the
  // whole schedule.
  std::optional<double> sigma_min, sigma_max;
  std::string interpolation_type = "linear";
  double sigma_data = 0.5;  ///< EDM's: standard deviation of the data
  double rho = 7;           ///< EDM's, of Karras' levels
  FlowConfig flow = {};
  std::string timestep_type = "discrete";  ///< Euler's; with continuous, a v-predicting network receives log(sigma) / 4
  bool skip_prk_steps = true;              ///< PNDMScheduler's, false there: no Runge-Kutta steps before the others
  double timestep_scaling = 10;            ///< LCMScheduler's
  /// For TCD, 0 to 1; not a key, but step()'s eta there: the distance of a step beyond the next timestep, then renoised
  /// back to it.
  double gamma = 0.3;
  std::int64_t original_inference_steps = 50;  ///< number of steps in the distillation of a consistency model
  std::string prediction_type = "epsilon";     ///< epsilon, v_prediction, sample or flow_prediction
  bool clip_sample = true;
  double clip_sample_range = 1.0;
  bool thresholding = false;  ///< dynamic; takes precedence over clip_sample
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1.0;
  std::string variance_type = "fixed_small";  ///< DDPM's: fixed_small(_log), fixed_large, learned, learned_range

  /// Reads the config of any of scheduler_classes(), with the class's defaults for missing keys. Ignores keys that the
  /// class does not read, as diffusers does. Throws std::invalid_argument naming the key and value if
  /// the class or a value is not supported.
  static ScheduleConfig from_json(const Json& json);

  /// Returns the config as `class_name` would save it: that class reads it as the same process.
  Json to_json() const;

  /// Throws std::invalid_argument naming the first member whose value is not supported.
  void validate() const;
};

}  // namespace sfumato
