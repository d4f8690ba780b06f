#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <string>

#include "nn/activations.h"
#include "nn/layers.h"

namespace sfumato {

struct TimestepsOptions {
  std::int64_t num_channels = 320;
  /// cos before sin, as in Stable Diffusion; DDPM has sin first.
  bool flip_sin_to_cos = true;
  double downscale_freq_shift = 0;
};

/// Sinusoidal embedding (Ho et al. 2020; diffusers' get_timestep_embedding) of real-valued timesteps [N]:
/// [N, num_channels] float32 on their device; an odd last channel is zero.
torch::Tensor timestep_embedding(const torch::Tensor& timesteps, const TimestepsOptions& options);

/// Expands `timestep` of shape [], [N] or [1], on any device, to float32 [batch] on `device`.
torch::Tensor expand_timestep(const torch::Tensor& timestep, std::int64_t batch, torch::Device device);

struct TimestepEmbeddingOptions {
  std::int64_t in_channels = 320;
  std::int64_t time_embed_dim = 1280;
  std::string act_fn = "silu";
  /// A nonlinearity after the second layer; "" for none.
  std::string post_act_fn = {};
  /// Width of an additional condition, added before the first layer; 0 for none.
  std::int64_t cond_proj_dim = 0;
};

/// Two linear layers with a nonlinearity between (diffusers' TimestepEmbedding).
class TimestepEmbeddingImpl : public torch::nn::Module {
 public:
  explicit TimestepEmbeddingImpl(const TimestepEmbeddingOptions& options);
  /// sample [N, in_channels], condition [N, cond_proj_dim] or undefined: [N, time_embed_dim].
  torch::Tensor forward(const torch::Tensor& sample, const torch::Tensor& condition = {});

 private:
  Linear linear_1_{nullptr}, linear_2_{nullptr}, cond_proj_{nullptr};
  Activation act_;
  Activation post_act_ = nullptr;
};
TORCH_MODULE(TimestepEmbedding);

}  // namespace sfumato
