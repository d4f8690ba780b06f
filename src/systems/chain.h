#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "diffusion/samplers.h"
#include "diffusion/schedule.h"

namespace sfumato {

/// User options for the reverse process; the defaults are the model's own.
struct ChainOptions {
  std::string sampler = "";           ///< a name of samplers()
  std::int64_t steps = 0;             ///< 0: all of the model's timesteps with ddpm, else 50
  std::optional<double> eta = {};     ///< for ddim, 0 to 1
  std::string skip_type = "uniform";  ///< uniform (spaced by the model's timestep_spacing) or quadratic
  std::string respacing = "";         ///< kept timesteps in the format of parse_respacing, instead of steps
  std::string variance = "";          ///< variance_type of ddpm
};

/// The process that a chain reverses.
struct ReverseProcess {
  const Schedule& schedule;
  /// Sampler used if the options name none.
  std::string default_sampler;
  /// True if the network's output has a second half, for the variance.
  bool predicts_variance = false;
};

/// A resolved reverse process, with every level in it.
struct Chain {
  Sampler sampler;
  std::vector<Step> steps;
  SamplerOptions options;
  /// Standard deviation of x_T.
  double noise_scale = 1;
};

/// Throws std::invalid_argument for options that do not fit the process, the sampler or each other.
Chain make_chain(const ReverseProcess& process, const ChainOptions& options);

/// Returns the names of the samplers of chains: all except those of distilled models.
std::vector<std::string> chain_sampler_names();

/// A batch at the start of a chain.
struct ChainRun {
  torch::Tensor x;       ///< [N, C, h, w] at the first step's level
  NoiseSource& noise;    ///< of N generators
  torch::Device device;  ///< of the network
};

/// Returns x [N, C, h, w] after the chain's last step, float32; undefined if on_step ended it. Records gradients
/// unless the caller disables them.
torch::Tensor run_chain(const Chain& chain, const Denoiser& denoise, const ChainRun& run, const OnStep& on_step = {});

/// Returns DDIM's inversion of a chain of sampler ddim at eta 0: from an image's x_0 to its x_T.
Chain inverse_chain(Chain chain);

}  // namespace sfumato
