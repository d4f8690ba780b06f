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

/// Choices of the user on how noise becomes an image; the defaults are the model's own.
struct ChainOptions {
  std::string sampler = "";           ///< of samplers()
  std::int64_t steps = 0;             ///< 0: all of the model's timesteps with ddpm, else 50
  std::optional<double> eta = {};     ///< ddim's, 0 to 1
  std::string skip_type = "uniform";  ///< uniform, evenly as the model's timestep_spacing, or quadratic
  std::string respacing = "";         ///< kept timesteps as parse_respacing reads them, in place of steps
  std::string variance = "";          ///< ddpm's variance_type
};

/// The process that a chain reverses.
struct ReverseProcess {
  const Schedule& schedule;
  /// Where the user names none.
  std::string default_sampler;
  /// True if the network's output has a second half, for the variance.
  bool predicts_variance = false;
};

/// A reverse process, resolved: every level that it goes through.
struct Chain {
  Sampler sampler;
  std::vector<Step> steps;
  SamplerOptions options;
  /// Standard deviation of x_T.
  double noise_scale = 1;
};

/// Throws std::invalid_argument for options that do not fit the process, the sampler or each other.
Chain make_chain(const ReverseProcess& process, const ChainOptions& options);

/// Names of the samplers of chains: all but those of distilled models.
std::vector<std::string> chain_sampler_names();

/// A batch on its way through a chain.
struct ChainRun {
  torch::Tensor x;       ///< [N, C, h, w] at the first step's level
  NoiseSource& noise;    ///< of N generators
  torch::Device device;  ///< of the network
};

/// The x [N, C, h, w] after the chain's last step, float32; undefined where on_step ended it. Gradients are recorded
/// unless the caller forbids it.
torch::Tensor run_chain(const Chain& chain, const Denoiser& denoise, const ChainRun& run, const OnStep& on_step = {});

/// DDIM's inversion of a chain of sampler ddim at eta 0: from an image's x_0 to its x_T.
Chain inverse_chain(Chain chain);

}  // namespace sfumato
