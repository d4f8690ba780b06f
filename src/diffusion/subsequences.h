#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "diffusion/steps.h"

namespace sfumato {

/// Returns the timesteps int(s_i^2) of n numbers s_i evenly from 0 to sqrt(0.8 T), falling: dense where the image is
/// nearly clean (Song et al. 2021, appendix D.2; skip_type "quad" in its code). Equal timesteps, at n near T, are kept
/// once. Throws std::invalid_argument if n is not in 1..T.
std::vector<std::int64_t> quadratic_timesteps(const Schedule& schedule, std::int64_t n);

/// Returns the timesteps kept by respacing, falling: T is divided into as many sections as there are counts. Each keeps
/// its count of timesteps, evenly from its first to its last (Nichol & Dhariwal 2021; `space_timesteps` in its code).
/// Throws std::invalid_argument for no counts, a count below 1 or one larger than its section.
std::vector<std::int64_t> respaced_timesteps(const Schedule& schedule, const std::vector<std::int64_t>& counts);

/// Returns the timesteps of a respacing in the form of users and released code: counts as in "10,15,20"; "ddimN", every
/// k-th from 0 on for the smallest k that keeps N; or "fast27", "10,10,3,2,2" with the last timestep moved down by
/// two (Nichol et al. 2021). Throws std::invalid_argument likewise, and if no k keeps N.
std::vector<std::int64_t> parse_respacing(const Schedule& schedule, const std::string& text);

/// Parses "25" or "10,15,20". Throws std::invalid_argument.
std::vector<std::int64_t> parse_counts(const std::string& option, const std::string& text);

/// Returns the steps from each of the falling timesteps to the next, and from the last to `end`. A process of these
/// timesteps alone has betas 1 - (alpha_from / alpha_to)^2: ancestral sampling here is that of the respaced process.
std::vector<Step> steps_at(const Schedule& schedule, const std::vector<std::int64_t>& timesteps, const Level& end);

/// Returns DDIM's steps in the other direction, from image to noise. Each is evaluated at its noisy end's timestep,
/// as in DDIM on the way back (DDIMInverseScheduler).
std::vector<Step> inverse_steps(const std::vector<Step>& steps);

}  // namespace sfumato
