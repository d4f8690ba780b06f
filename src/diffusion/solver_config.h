#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"

namespace sfumato {

/// Solver settings of a scheduler_config.json: for DPMSolverMultistepScheduler, DPMSolverSinglestepScheduler,
/// UniPCMultistepScheduler, DEISMultistepScheduler, EDMDPMSolverMultistepScheduler or SASolverScheduler. Members are
/// diffusers' keys, with its defaults. Each solver reads only its own keys, like a scheduler created from another
/// class's config in diffusers.
struct SolverConfig {
  std::int64_t solver_order = 2;  ///< at least 1; at most 3 except for UniPC and the multistep DPM-Solver
  /// DPM-Solver's second order: heun, else midpoint. UniPC's B(h): bh1, else bh2.
  std::string solver_type = "";
  /// DPM-Solver's: dpmsolver and sde-dpmsolver solve for eps, the others for x0; sde-dpmsolver and sde-dpmsolver++ draw
  /// fresh noise. SA-Solver's: noise_prediction solves for eps, else for x0.
  std::string algorithm_type = "dpmsolver++";
  std::int64_t predictor_order = 2, corrector_order = 2;  ///< SA-Solver's, 1 to 4
  bool lower_order_final = true;                          ///< the last steps at lower orders, if there are few
  bool euler_at_final = false;                            ///< DPM-Solver's last step at first order
  bool predict_x0 = true;                                 ///< UniPC's: solves for x0, else for eps
  std::vector<std::int64_t> disable_corrector = {};       ///< for UniPC: the steps, from 0, without correction

  /// Depends on algorithm_type.
  bool is_stochastic() const { return algorithm_type.starts_with("sde-"); }
  bool is_of_eps() const { return algorithm_type == "dpmsolver" || algorithm_type == "sde-dpmsolver"; }
};

/// Calls `visit` with each key and the member for it.
template <class Config, class Visit>
void for_each_solver_member(Config& config, Visit visit) {
  visit("solver_order", config.solver_order);
  visit("solver_type", config.solver_type);
  visit("algorithm_type", config.algorithm_type);
  visit("predictor_order", config.predictor_order);
  visit("corrector_order", config.corrector_order);
  visit("lower_order_final", config.lower_order_final);
  visit("euler_at_final", config.euler_at_final);
  visit("predict_x0", config.predict_x0);
  visit("disable_corrector", config.disable_corrector);
}

}  // namespace sfumato
