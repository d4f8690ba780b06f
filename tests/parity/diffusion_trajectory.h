#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "core/json.h"
#include "diffusion/samplers.h"

namespace sfumato::parity {

/// What diffusion_reference.py wrote.
struct Golden {
  Json cases;
  std::vector<float> values;

  static Golden load();
  /// [count, 2, 4, 4, 4] of a case.
  torch::Tensor latents(const Json& one, std::int64_t count) const;
};

inline const std::vector<std::int64_t> kShape = {2, 4, 4, 4};

/// A case's row of samplers(), or one made up for the inversion of DDIM.
Sampler sampler_of(const Json& one);

/// The reference's `toy_network`, told the timestep plus `t_error`.
Backbone toy_network(const std::string& variance_type, double t_error = 0);

/// The schedule of a case's config, with the sigma_schedule that it names beside it.
Schedule schedule_of(const Json& one);

/// The steps of a case, where it has a `strength` those of image-to-image.
std::vector<Step> steps_of(const Json& one, const Schedule& schedule);

/// Our latents after each step of a case, [steps, 2, 4, 4, 4].
torch::Tensor trajectory(const Json& one, double t_error = 0);

/// The largest of each step's max|a - b| / max|b|.
double worst_step_error(const torch::Tensor& actual, const torch::Tensor& expected);

}  // namespace sfumato::parity
