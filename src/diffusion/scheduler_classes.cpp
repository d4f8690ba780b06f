#include "diffusion/scheduler_classes.h"

#include <algorithm>
#include <limits>
#include <stdexcept>

namespace sfumato {
namespace {

using Keys = std::vector<std::string>;

Keys operator+(Keys keys, const Keys& more) {
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

ScheduleConfig of_latents() {
  ScheduleConfig config;
  config.timestep_spacing = "linspace";
  config.clip_sample = false;
  return config;
}

/// Returns the defaults of the classes that came from k-diffusion.
ScheduleConfig of_k_diffusion() {
  auto config = of_latents();
  config.beta_start = 0.00085;
  config.beta_end = 0.012;
  return config;
}

ScheduleConfig of_consistency_models() {
  auto config = of_k_diffusion();
  config.timestep_spacing = "leading";
  config.beta_schedule = "scaled_linear";
  return config;
}

ScheduleConfig of_pndm() {
  auto config = of_latents();
  config.timestep_spacing = "leading";
  config.set_alpha_to_one = false;
  config.skip_prk_steps = false;
  return config;
}

ScheduleConfig of_solver(const std::string& solver_type) {
  auto config = of_latents();
  config.solver.solver_type = solver_type;
  return config;
}

ScheduleConfig of_singlestep_solver() {
  auto config = of_solver("midpoint");
  config.solver.lower_order_final = false;
  return config;
}

ScheduleConfig of_sa_solver() {
  auto config = of_latents();
  config.solver.algorithm_type = "data_prediction";
  return config;
}

ScheduleConfig of_edm() {
  auto config = of_solver("midpoint");
  config.process = "edm";
  config.sigma_schedule = "karras";
  config.sigma_min = 0.002;
  config.sigma_max = 80;
  return config;
}

ScheduleConfig of_ipndm() {
  auto config = of_latents();
  config.process = "ipndm";
  config.prediction_type = "v_prediction";
  return config;
}

/// Returns the defaults for flow: a renoised x0 is a consistency model's step without the boundary condition.
ScheduleConfig of_flow() {
  auto config = of_latents();
  config.process = "flow";
  config.prediction_type = "flow_prediction";
  config.timestep_scaling = std::numeric_limits<double>::infinity();
  return config;
}

std::vector<SchedulerClass> make_table() {
  const Keys spacing = {"timestep_spacing", "steps_offset"}, zero_snr = {"rescale_betas_zero_snr"};
  const Keys clipping = {"clip_sample", "clip_sample_range"};
  const Keys thresholding = {"thresholding", "dynamic_thresholding_ratio", "sample_max_value"};
  // Not all of these classes have sigma_min and sigma_max, but their shared functions read them.
  const Keys sigmas = {"use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas", "sigma_min", "sigma_max"};
  const Keys end = {"final_sigmas_type"};
  const Keys flow = {"use_flow_sigmas", "use_dynamic_shifting"};
  const Keys solver = thresholding + sigmas + flow + Keys{"solver_order", "lower_order_final"};
  const Keys dpm = solver + end + Keys{"solver_type", "algorithm_type", "lambda_min_clipped"};
  const Keys edm = end + Keys{"sigma_min", "sigma_max", "sigma_data", "sigma_schedule", "rho", "prediction_type"};
  const Keys flow_match = sigmas + Keys{"shift",
                                        "use_dynamic_shifting",
                                        "base_shift",
                                        "max_shift",
                                        "base_image_seq_len",
                                        "max_image_seq_len",
                                        "time_shift_type",
                                        "shift_terminal",
                                        "invert_sigmas",
                                        "stochastic_sampling"};
  const Keys pixels = spacing + zero_snr + clipping + thresholding;
  const Keys consistency = pixels + Keys{"set_alpha_to_one", "original_inference_steps", "timestep_scaling"};
  return {
      {"DDIMScheduler", "ddim", pixels + Keys{"set_alpha_to_one"}, ScheduleConfig()},
      {"DDPMScheduler", "ddpm", pixels + Keys{"variance_type"}, ScheduleConfig()},
      {"PNDMScheduler", "pndm", spacing + Keys{"set_alpha_to_one", "skip_prk_steps"}, of_pndm()},
      {"LCMScheduler", "lcm", consistency, of_consistency_models()},
      {"TCDScheduler", "tcd", zero_snr + Keys{"set_alpha_to_one", "original_inference_steps"}, of_consistency_models()},
      {"HeunDiscreteScheduler", "heun", spacing + sigmas + clipping, of_k_diffusion()},
      {"KDPM2DiscreteScheduler", "dpm2", spacing + sigmas, of_k_diffusion()},
      {"KDPM2AncestralDiscreteScheduler", "dpm2_a", spacing + sigmas, of_k_diffusion()},
      {"DPMSolverSDEScheduler", "dpm++sde", spacing + sigmas + Keys{"noise_sampler_seed"}, of_k_diffusion()},
      {"LMSDiscreteScheduler", "lms", spacing + sigmas, of_latents()},
      {"EulerDiscreteScheduler", "euler",
       spacing + zero_snr + sigmas + end + Keys{"interpolation_type", "timestep_type"}, of_latents()},
      {"EulerAncestralDiscreteScheduler", "euler_a", spacing + zero_snr, of_latents()},
      {"DPMSolverMultistepScheduler", "dpm++2m", dpm + spacing + zero_snr + Keys{"euler_at_final", "use_lu_lambdas"},
       of_solver("midpoint")},
      {"DPMSolverSinglestepScheduler", "dpm++2s", dpm, of_singlestep_solver()},
      {"DEISMultistepScheduler", "deis", solver + spacing + Keys{"algorithm_type", "solver_type"}, of_solver("logrho")},
      {"UniPCMultistepScheduler", "unipc",
       solver + spacing + zero_snr + end +
           Keys{"solver_type", "predict_x0", "disable_corrector", "solver_p", "shift_terminal"},
       of_solver("bh2")},
      {"SASolverScheduler", "sa_solver",
       thresholding + sigmas + spacing +
           Keys{"use_flow_sigmas", "lambda_min_clipped", "lower_order_final", "algorithm_type", "predictor_order",
                "corrector_order", "tau_func"},
       of_sa_solver()},
      {"IPNDMScheduler", "ipndm", {"trained_betas"}, of_ipndm()},
      {"EDMEulerScheduler", "euler", edm, of_edm()},
      {"EDMDPMSolverMultistepScheduler", "dpm++2m",
       edm + thresholding +
           Keys{"solver_order", "algorithm_type", "solver_type", "lower_order_final", "euler_at_final"},
       of_edm()},
      {"FlowMatchEulerDiscreteScheduler", "euler", flow_match, of_flow()},
  };
}

}  // namespace

const std::vector<SchedulerClass>& scheduler_classes() {
  static const std::vector<SchedulerClass> table = make_table();
  return table;
}

const SchedulerClass& find_scheduler_class(const std::string& name) {
  std::string known;
  for (const auto& scheduler : scheduler_classes()) {
    if (scheduler.name == name) return scheduler;
    known += (known.empty() ? "" : ", ") + scheduler.name;
  }
  throw std::invalid_argument("scheduler config: '_class_name' is '" + name + "', expected one of " + known);
}

bool reads_key(const SchedulerClass& scheduler, const std::string& key) {
  return std::find(scheduler.keys.begin(), scheduler.keys.end(), key) != scheduler.keys.end();
}

std::string default_sampler(const ScheduleConfig& config) {
  if (config.flow.stochastic_sampling) return "lcm";
  const auto& sampler = find_scheduler_class(config.class_name).sampler;
  if (sampler != "dpm++2m") return sampler;
  if (config.solver.is_stochastic()) return "dpm++2m_sde";
  return config.solver.solver_order >= 3 ? "dpm++3m" : sampler;
}

}  // namespace sfumato
