#pragma once

#include <torch/torch.h>

#include <functional>

#include "core/random.h"
#include "systems/chain.h"
#include "systems/unconditional/model.h"

namespace sfumato {

/// Throws std::invalid_argument for options that do not fit the model, the sampler or each other.
Chain make_chain(const Unconditional& model, const ChainOptions& options);

/// A batch at the start of a chain.
struct ChainBatch {
  torch::Tensor x;       ///< [N, C, h, w] at the first step's level
  torch::Tensor labels;  ///< [N], or undefined without classes
  NoiseSource& noise;    ///< of N generators
};

/// Called at each evaluation with x [N, C, h, w] and the network's estimate.
using OnEvaluation =
    std::function<void(const torch::Tensor& x, const Evaluation& evaluation, const Estimate& estimate)>;

/// Callbacks during a chain; each may be empty.
struct ChainObserver {
  OnStep on_step = {};
  OnEvaluation on_evaluation = {};
};

/// Returns x [N, C, h, w] after the chain's last step, float32; undefined if on_step ended it.
torch::Tensor run_chain(const Unconditional& model, const Chain& chain, const ChainBatch& batch,
                        const ChainObserver& observer = {});

}  // namespace sfumato
