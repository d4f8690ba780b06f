#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/steps.h"

namespace sfumato {

/// The timesteps int(s_i^2) of n numbers s_i evenly from 0 to sqrt(0.8 T), falling: dense where the image is nearly
/// clean (Song et al. 2021, appendix D.2; skip_type "quad" in its code). Timesteps that coincide, at n near T, are kept
/// once. Throws std::invalid_argument where n is not in 1..T.
std::vector<std::int64_t> quadratic_timesteps(const Schedule& schedule, std::int64_t n);

/// Timesteps kept by respacing, falling: T is divided into as many sections as there are counts, and each section keeps
/// its count of timesteps, evenly from its first to its last (Nichol & Dhariwal 2021; `space_timesteps` in its code).
/// Throws std::invalid_argument for no counts, a count below 1 or one larger than its section.
std::vector<std::int64_t> respaced_timesteps(const Schedule& schedule, const std::vector<std::int64_t>& counts);

/// Timesteps kept by a respacing as users and released code write it: counts as in "10,15,20"; "ddimN", every k-th
/// timestep from 0 on for the smallest k that keeps N; or "fast27", "10,10,3,2,2" with the last timestep moved down by
/// two (Nichol et al. 2021). Throws std::invalid_argument likewise, and where no k keeps N.
std::vector<std::int64_t> parse_respacing(const Schedule& schedule, const std::string& text);

/// "25" or "10,15,20" as numbers. Throws std::invalid_argument.
std::vector<std::int64_t> parse_counts(const std::string& option, const std::string& text);

/// From each of the falling timesteps to the next, and from the last to `end`. A process of the kept timesteps alone
/// has betas 1 - (alpha_from / alpha_to)^2: ancestral sampling along these steps is that of the respaced process.
std::vector<Step> steps_at(const Schedule& schedule, const std::vector<std::int64_t>& timesteps, const Level& end);

/// DDIM's steps in the other direction, from image to noise. Each is evaluated at the timestep of its noisy end, as
/// DDIM evaluates it on the way back (DDIMInverseScheduler).
std::vector<Step> inverse_steps(const std::vector<Step>& steps);

}  // namespace sfumato
