#pragma once

#include <torch/torch.h>

#include <cstdint>

namespace sfumato {

/// Draws timesteps for the `count` rows of a batch, int64 [count] of 0 to `timesteps` - 1, one in each of `count` equal
/// parts of the noise schedule. The batch's mean loss then varies less from step to step than with independent ones
/// (Kingma et al. 2021, appendix I.1). A `shift` above 1 moves them towards noise.
torch::Tensor stratified_timesteps(std::int64_t count, std::int64_t timesteps, double shift, at::Generator& generator);

}  // namespace sfumato
