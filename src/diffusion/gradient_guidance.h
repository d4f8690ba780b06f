#pragma once

#include <torch/torch.h>

#include <functional>
#include <vector>

#include "diffusion/denoiser.h"
#include "diffusion/guidance.h"
#include "diffusion/steps.h"

namespace sfumato {

/// Returns the value [N] that guidance increases, differentiable in x [N, C, ...] or in the estimate of x0, whichever
/// it reads. Each row's value depends on its own row alone.
using GuidanceValue =
    std::function<torch::Tensor(const torch::Tensor& x, const torch::Tensor& x0, const Evaluation& evaluation)>;

/// Guidance of a run by the gradient of a value (Dhariwal & Nichol 2021, section 4; Nichol et al. 2021, section 2.3).
struct GradientGuidance {
  GuidanceValue value;
  double scale = 1;
  std::vector<Step> steps;  ///< of the run; Evaluation::step is an index into them
  /// True to use the network's learned-range variance as Sigma below, which only the sampler ddpm draws with.
  bool learned_variance = false;
  EvaluationRange range = {};  ///< evaluations with guidance
};

/// Returns the gradient of a value with respect to x, [N, C, ...]. The value's x0 is (x - sigma eps) / alpha with the
/// estimate's eps held fixed: no gradient passes through the denoising network.
torch::Tensor value_gradient(const GuidanceValue& value, const torch::Tensor& x, const Estimate& estimate,
                             const Evaluation& evaluation);

/// Adds guidance to a denoiser. One place serves every sampler: the estimate of x0 moves by
///
///   s sigma^2 / alpha' (Sigma / beta) gradient,
///
/// and eps with it, so that x = alpha x0 + sigma eps still holds for what moved. alpha' is that of the step's end, beta
/// the variance of q(x_t | x_t'), and Sigma is beta unless `learned_variance` is set. Then the mean of the ancestral
/// sampler moves by s Sigma gradient, exactly: Nichol et al. 2021, eq. 4. In the limit of many steps, eps moves by
/// -s sigma gradient, which is the form of Dhariwal & Nichol 2021 for deterministic samplers (algorithm 2). With alpha'
/// in place of alpha the shift stays bounded where alpha is close to 0.
Denoiser guided_by_gradient(Denoiser denoise, GradientGuidance guidance);

}  // namespace sfumato
