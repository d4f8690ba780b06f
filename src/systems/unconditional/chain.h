#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/random.h"
#include "diffusion/samplers.h"
#include "systems/unconditional/model.h"

namespace sfumato {

/// Choices of the user on how noise becomes an image; the defaults are the model's own.
struct ChainOptions {
  std::string sampler = "";           ///< of samplers()
  std::int64_t steps = 0;             ///< 0: all of the model's timesteps with ddpm, else 50
  std::optional<double> eta = {};     ///< ddim's, 0 to 1
  std::string skip_type = "uniform";  ///< uniform, evenly as the model's timestep_spacing, or quadratic
  std::string respacing = "";         ///< counts of kept timesteps, in place of steps and skip_type: "10,15,20"
  std::string variance = "";          ///< ddpm's variance_type
};

/// The reverse process of a model, resolved: every level that it goes through.
struct Chain {
  Sampler sampler;
  std::vector<Step> steps;
  SamplerOptions options;
  /// Standard deviation of x_T.
  double noise_scale = 1;
};

/// Throws std::invalid_argument for options that do not fit the model, the sampler or each other.
Chain make_chain(const Unconditional& model, const ChainOptions& options);

/// Samplers that an unconditional model runs with: all but those of distilled models.
std::vector<std::string> chain_sampler_names();

/// A batch on its way through a chain.
struct ChainBatch {
  torch::Tensor x;       ///< [N, C, h, w] at the first step's level
  torch::Tensor labels;  ///< [N], or undefined without classes
  NoiseSource& noise;    ///< of N generators
};

/// Called at each evaluation with x [N, C, h, w], and with the network's estimate.
using OnEvaluation =
    std::function<void(const torch::Tensor& x, const Evaluation& evaluation, const Estimate& estimate)>;

/// Calls made on the way; each may be empty.
struct ChainObserver {
  OnStep on_step = {};
  OnEvaluation on_evaluation = {};
};

/// The x [N, C, h, w] after the chain's last step, float32; undefined where on_step ended it.
torch::Tensor run_chain(const Unconditional& model, const Chain& chain, const ChainBatch& batch,
                        const ChainObserver& observer = {});

/// DDIM's inversion of a chain of sampler ddim at eta 0: from an image's x_0 to its x_T.
Chain inverse_chain(Chain chain);

}  // namespace sfumato
