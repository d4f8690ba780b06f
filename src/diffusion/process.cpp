#include "diffusion/process.h"

namespace sfumato {

torch::Tensor at_timesteps(const torch::Tensor& table, const torch::Tensor& timesteps, const torch::Tensor& like) {
  std::vector<std::int64_t> shape(like.dim(), 1);
  shape[0] = timesteps.size(0);
  return table.index_select(0, timesteps).view(shape);
}

ForwardProcess::ForwardProcess(const Schedule& schedule, torch::Device device) {
  const auto products = torch::tensor(schedule.alphas_cumprod(), torch::kFloat64);
  alphas_ = products.sqrt().to(torch::kFloat32).to(device);
  sigmas_ = (1 - products).sqrt().to(torch::kFloat32).to(device);
}

torch::Tensor ForwardProcess::add_noise(const torch::Tensor& x0, const torch::Tensor& noise,
                                        const torch::Tensor& timesteps) const {
  return at_timesteps(alphas_, timesteps, x0) * x0 + at_timesteps(sigmas_, timesteps, x0) * noise;
}

torch::Tensor ForwardProcess::velocity(const torch::Tensor& x0, const torch::Tensor& noise,
                                       const torch::Tensor& timesteps) const {
  return at_timesteps(alphas_, timesteps, x0) * noise - at_timesteps(sigmas_, timesteps, x0) * x0;
}

torch::Tensor ForwardProcess::target(PredictionType type, const torch::Tensor& x0, const torch::Tensor& noise,
                                     const torch::Tensor& timesteps) const {
  switch (type) {
    case PredictionType::epsilon:
      return noise;
    case PredictionType::v_prediction:
      return velocity(x0, noise, timesteps);
    case PredictionType::sample:
      return x0;
    case PredictionType::flow:
      return noise - x0;
  }
  TORCH_CHECK(false, "no such prediction type");
}

torch::Tensor ForwardProcess::snr(const torch::Tensor& timesteps) const {
  return (alphas_.index_select(0, timesteps) / sigmas_.index_select(0, timesteps)).square();
}

}  // namespace sfumato
