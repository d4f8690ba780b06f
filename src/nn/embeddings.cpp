#include "nn/embeddings.h"

#include <cmath>

namespace sfumato {

torch::Tensor timestep_embedding(const torch::Tensor& timesteps, const TimestepsOptions& options) {
  constexpr double kMaxPeriod = 10000;
  TORCH_CHECK(timesteps.dim() == 1, "timesteps of shape ", timesteps.sizes(), ", expected [N]");
  const auto half = options.num_channels / 2;
  const auto index = torch::arange(half, timesteps.options().dtype(torch::kFloat32));
  const auto exponent = index * -std::log(kMaxPeriod) / (static_cast<double>(half) - options.downscale_freq_shift);
  const auto angle = timesteps.to(torch::kFloat32).unsqueeze(1) * exponent.exp();  // [N, half]
  auto embedding =
      options.flip_sin_to_cos ? torch::cat({angle.cos(), angle.sin()}, -1) : torch::cat({angle.sin(), angle.cos()}, -1);
  if (options.num_channels % 2 == 1) embedding = torch::constant_pad_nd(embedding, {0, 1});
  return embedding;  // [N, num_channels]
}

torch::Tensor expand_timestep(const torch::Tensor& timestep, std::int64_t batch, torch::Device device) {
  TORCH_CHECK(timestep.defined() && timestep.dim() <= 1 && (timestep.numel() == 1 || timestep.numel() == batch),
              "a timestep for each of ", batch, " samples, or one for all, is expected");
  return timestep.to(device, torch::kFloat32).reshape({-1}).expand({batch});
}

TimestepEmbeddingImpl::TimestepEmbeddingImpl(const TimestepEmbeddingOptions& options)
    : act_(activation(options.act_fn)) {
  linear_1_ = register_module("linear_1", Linear(options.in_channels, options.time_embed_dim));
  if (options.cond_proj_dim > 0) {
    cond_proj_ = register_module("cond_proj", Linear(options.cond_proj_dim, options.in_channels, false));
  }
  linear_2_ = register_module("linear_2", Linear(options.time_embed_dim, options.time_embed_dim));
  if (!options.post_act_fn.empty()) post_act_ = activation(options.post_act_fn);
}

torch::Tensor TimestepEmbeddingImpl::forward(const torch::Tensor& sample, const torch::Tensor& condition) {
  TORCH_CHECK(!condition.defined() || cond_proj_, "a timestep condition for a network without time_cond_proj_dim");
  auto x = condition.defined() ? sample + cond_proj_(condition) : sample;
  x = linear_2_(act_(linear_1_(x)));
  return post_act_ != nullptr ? post_act_(x) : x;
}

}  // namespace sfumato
