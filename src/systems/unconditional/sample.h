#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "systems/unconditional/chain.h"

namespace sfumato {

/// Images to sample together.
struct SampleBatch {
  std::vector<std::uint64_t> seeds;
  /// Class labels, one for each image; empty for a model without classes.
  std::vector<double> labels = {};
  /// Unit noise [N, C, h, w] that replaces each seed's first draw; undefined to use that draw.
  torch::Tensor initial = {};
};

/// Samples a batch of images [N, 3, H, W], float32 on the CPU, about in [-1, 1]; undefined if the observer's on_step
/// ended it (Ho et al. 2020, algorithm 2; Song et al. 2021, eq. 12). An image depends only on its seed and label.
torch::Tensor sample(const Unconditional& model, const Chain& chain, const SampleBatch& batch,
                     const ChainObserver& observer = {});

/// Returns the unit noise [1, C, h, w] at the start of a seed's image.
torch::Tensor first_noise_of(const Unconditional& model, std::uint64_t seed);

/// Returns one label for each of `count` images, in turn from `text`, "3" or "0,1,2", or from all classes of the model
/// if it is empty. Empty for a model without classes. Throws std::invalid_argument for labels that the model lacks.
std::vector<double> labels_of(const Unconditional& model, const std::string& text, std::int64_t count);

/// Converts labels to the network's input, [N]: rows of its table, or numbers embedded like timesteps. Undefined
/// without labels.
torch::Tensor label_tensor(const Unconditional& model, const std::vector<double>& labels);

}  // namespace sfumato
