#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"

namespace sfumato {

/// What a scheduler_config.json says of its multistep solver: DPMSolverMultistepScheduler, UniPCMultistepScheduler or
/// DEISMultistepScheduler. Members are diffusers' keys, with its defaults. Each solver obeys what it knows, as a
/// scheduler that is made from another class's config does there.
struct SolverConfig {
  std::int64_t solver_order = 2;  ///< 1 to 3
  /// DPM-Solver's second order: heun, else midpoint. UniPC's B(h): bh1, else bh2.
  std::string solver_type = "";
  /// DPMSolverMultistepScheduler's: dpmsolver solves for eps, dpmsolver++ for x0, sde-dpmsolver++ draws fresh noise.
  std::string algorithm_type = "dpmsolver++";
  bool lower_order_final = true;                     ///< the last steps, where there are few, at lower orders
  bool euler_at_final = false;                       ///< DPM-Solver's last step at first order
  bool predict_x0 = true;                            ///< UniPC's: solves for x0, else for eps
  std::vector<std::int64_t> disable_corrector = {};  ///< UniPC's: the steps, from 0, that are not corrected

  /// What that class looks at, the defaults for the rest. Throws std::invalid_argument naming the key and value where
  /// a value is not supported.
  static SolverConfig from_json(const std::string& class_name, const Json& json);

  /// The keys that the class looks at; {} for a class that is no multistep solver.
  Json to_json(const std::string& class_name) const;
};

}  // namespace sfumato
