#pragma once

#include <torch/torch.h>

#include "core/placement.h"

namespace sfumato {

/// True if pack_weights accepts a network at this placement: bfloat16 on a CPU with instructions for it.
bool packs_weights(const Placement& placement);

/// Stores the weights of linear layers, and of the convolutions that do not use Winograd's products, in the layout in
/// which oneDNN multiplies on this processor. It would otherwise rearrange them at each call. The plain weights are
/// freed: afterwards only a forward pass without gradients is possible, and the parameters read as NaN. Takes about a
/// second for Stable Diffusion 1's UNet.
void pack_weights(torch::nn::Module& network);

}  // namespace sfumato
