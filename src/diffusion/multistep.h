#pragma once

#include <array>
#include <cstddef>
#include <deque>

#include "diffusion/samplers.h"

// What the multistep solvers share.

namespace sfumato {

/// lambda: half the logarithm of the signal-to-noise ratio; infinite at sigma = 0.
double half_log_snr(const Level& level);

/// A step of an exponential integrator: x becomes kept x - gained (e^decay - 1) p for a prediction p that stays the
/// same on the way. Of x0 (Lu et al. 2022b, eq. 8; DPM-Solver++) or of eps (Lu et al. 2022a, eq. 3.7; DPM-Solver); or,
/// with fresh noise of deviation `noise`, of the stochastic equation (Lu et al. 2022b, eq. 18 and its like for eps).
struct ExponentialStep {
  double kept;
  double gained;
  double h;      ///< how far it goes in lambda
  double decay;  ///< -h of x0, h of eps, -2h of x0 with fresh noise
  double noise = 0;

  static ExponentialStep of_x0(const Step& step);
  static ExponentialStep of_eps(const Step& step);
  /// By the solver's algorithm_type.
  static ExponentialStep of(const Step& step, const SolverConfig& solver);
};

/// An x0, or an eps, that was predicted at a level.
struct SolverPrediction {
  double lambda;
  torch::Tensor value;
};

/// How much a prediction and its first two derivatives over a step weigh in it.
using SolverWeights = std::array<double, 3>;

/// `decay` times phi_1 to phi_3 of it, the functions of exponential integrators (Lu et al. 2022a, appendix B). The
/// second order's midpoint form takes the slope at the step's middle instead; Heun's, and the third order, are exact.
SolverWeights solver_weights(double decay, bool midpoint);

/// Those of DPM-Solver's algorithm_type, with what DPMSolverMultistepScheduler has in place of an expansion.
SolverWeights dpm_solver_weights(const ExponentialStep& step, const SolverConfig& solver, bool midpoint);

/// DPM-Solver's prediction at the beginning of step i: by algorithm_type x0, or the eps of a thresholded x0.
SolverPrediction solver_prediction(const SampleArgs& args, const torch::Tensor& x, std::size_t i,
                                   const SolverConfig& solver);

/// The prediction over a step of h, weighted, by all the `past` ones, the newest first: as many as the step's order, 1
/// to 3.
torch::Tensor weighted(const std::deque<SolverPrediction>& past, double h, const SolverWeights& weights);

/// Recovers eps from x and x0 at a level. `Estimate::eps` is inconsistent with a thresholded x0.
torch::Tensor eps_of(const torch::Tensor& x0, const torch::Tensor& x, const Level& level);

/// Whether a step ends clean, or where it begins, as after Karras' levels with final_sigmas_type sigma_min: infinitely
/// far in lambda or not at all, so that no order but the first can be told.
bool is_of_first_order(const Step& step);

/// The order that a step is made at: the config's, but no more than 3 and than there are predictions by then; and where
/// the whole schedule has fewer than 15 steps, with lower_order_final, no more than there are steps left.
std::size_t multistep_order(const SampleArgs& args, std::size_t step);

}  // namespace sfumato
