#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>
#include <vector>

#include "systems/unconditional/chain.h"

namespace sfumato {

/// Images that are sampled together.
struct SampleBatch {
  std::vector<std::uint64_t> seeds;
  /// Class labels, one an image; empty for a model without classes.
  std::vector<double> labels = {};
  /// Unit noise [N, C, h, w] in place of each seed's first draw; undefined for that draw.
  torch::Tensor initial = {};
};

/// The images of a batch [N, 3, H, W], float32 on the CPU, about in [-1, 1]; undefined where the observer's on_step
/// ended it (Ho et al. 2020, algorithm 2; Song et al. 2021, eq. 12). An image depends on its seed and label alone.
torch::Tensor sample(const Unconditional& model, const Chain& chain, const SampleBatch& batch,
                     const ChainObserver& observer = {});

/// Unit noise [1, C, h, w] that the image of a seed starts from.
torch::Tensor first_noise_of(const Unconditional& model, std::uint64_t seed);

/// One label for each of `count` images: those of `text`, "3" or "0,1,2", in turn; where it is empty all of the model's
/// classes in turn. Empty for a model without classes. Throws std::invalid_argument for labels that the model lacks.
std::vector<double> labels_of(const Unconditional& model, const std::string& text, std::int64_t count);

/// Labels as the network takes them, [N]: rows of its table, or numbers that it embeds as it does timesteps. Undefined
/// without labels.
torch::Tensor label_tensor(const Unconditional& model, const std::vector<double>& labels);

}  // namespace sfumato
