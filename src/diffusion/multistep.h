#pragma once

#include <array>
#include <cstddef>
#include <deque>

#include "diffusion/samplers.h"

// Functions shared by the multistep solvers.

namespace sfumato {

/// Returns lambda: half the logarithm of the signal-to-noise ratio; infinite at sigma = 0.
double half_log_snr(const Level& level);

/// Step of an exponential integrator: x becomes kept x - gained (e^decay - 1) p for a prediction p that is constant
/// over the step. p is x0 (Lu et al. 2022b, eq. 8; DPM-Solver++) or eps (Lu et al. 2022a, eq. 3.7; DPM-Solver). With
/// fresh noise of std `noise`, solves the stochastic equation (Lu et al. 2022b, eq. 18 and its counterpart for eps).
struct ExponentialStep {
  double kept;
  double gained;
  double h;      ///< length of the step in lambda
  double decay;  ///< -h for x0, h for eps, -2h for x0 with fresh noise
  double noise = 0;

  static ExponentialStep of_x0(const Step& step);
  static ExponentialStep of_eps(const Step& step);
  /// Returns the step for the solver's algorithm_type.
  static ExponentialStep of(const Step& step, const SolverConfig& solver);
};

/// An x0 or eps predicted at a level.
struct SolverPrediction {
  double lambda;
  torch::Tensor value;
};

/// Weights of a prediction and of its first two derivatives over a step.
using SolverWeights = std::array<double, 3>;

/// Returns `decay` times phi_1 to phi_3 of it, the functions of exponential integrators (Lu et al. 2022a, appendix B).
/// Second order with `midpoint` uses the slope at the step's middle instead; Heun's form and third order are exact.
SolverWeights solver_weights(double decay, bool midpoint);

/// Returns the weights for DPM-Solver's algorithm_type, with DPMSolverMultistepScheduler's terms, not an expansion.
SolverWeights dpm_solver_weights(const ExponentialStep& step, const SolverConfig& solver, bool midpoint);

/// Returns DPM-Solver's prediction at the start of step i: by algorithm_type x0, or the eps of a thresholded x0.
SolverPrediction solver_prediction(const SampleArgs& args, const torch::Tensor& x, std::size_t i,
                                   const SolverConfig& solver);

/// Returns the weighted prediction over a step of h from all `past` ones, newest first: as many as the step's order, 1
/// to 3.
torch::Tensor weighted(const std::deque<SolverPrediction>& past, double h, const SolverWeights& weights);

/// Recovers eps from x and x0 at a level. `Estimate::eps` is inconsistent with a thresholded x0.
torch::Tensor eps_of(const torch::Tensor& x0, const torch::Tensor& x, const Level& level);

/// True for a step that ends clean, or of zero length, such as after Karras' levels with final_sigmas_type sigma_min.
/// Its length in lambda is infinite or zero, so only first order is defined.
bool is_of_first_order(const Step& step);

/// Returns the order of a step: the config's, but at most 3 and at most the number of predictions so far. For a
/// schedule of fewer than 15 steps, with lower_order_final, it is also at most the number of remaining steps.
std::size_t multistep_order(const SampleArgs& args, std::size_t step);

}  // namespace sfumato
