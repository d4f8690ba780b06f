#include "training/loading/timesteps.h"

namespace sfumato {

torch::Tensor stratified_timesteps(std::int64_t count, std::int64_t timesteps, double shift, at::Generator& generator) {
  const auto within = torch::rand({count}, generator, torch::kFloat32);
  auto position = (torch::arange(count, torch::kFloat32) + within) / static_cast<double>(count);
  if (shift != 1) position = shift * position / (1 + (shift - 1) * position);
  return (position * static_cast<double>(timesteps)).to(torch::kInt64).clamp(0, timesteps - 1);
}

}  // namespace sfumato
