#include "diffusion/bits_per_dimension.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace sfumato {
namespace {

/// Draws a timestep of a part for each of `images`, int64 [N]: uniform, from one of as many equal sections as images.
torch::Tensor draw_timesteps(const BoundTimesteps& timesteps, std::size_t part, std::int64_t images,
                             at::Generator& generator) {
  const auto first = timesteps.t[part];
  const auto size = static_cast<std::int64_t>(timesteps.weights[part]);
  if (size == 1) return torch::full({images}, first, torch::kInt64);
  const auto section = torch::randperm(images, generator, torch::kInt64).to(torch::kFloat64);
  const auto place = (section + torch::rand({images}, generator, torch::kFloat64)) / images;  // [0, 1)
  return first + (place * size).floor().to(torch::kInt64).clamp_max(size - 1);
}

}  // namespace

BoundTimesteps bound_timesteps(std::int64_t num_train_timesteps, std::int64_t count) {
  if (count != 0 && (count < 2 || count > num_train_timesteps))
    throw std::invalid_argument("timesteps of the bound: " + std::to_string(count) + ", expected 2 to " +
                                std::to_string(num_train_timesteps) + ", or 0 for all");
  BoundTimesteps chosen;
  const auto parts = (count == 0 ? num_train_timesteps : count) - 1;
  chosen.t.push_back(0);
  chosen.weights.push_back(1);
  for (std::int64_t i = 0, first = 1, end = 1; i < parts; ++i, first = end) {
    const auto share = static_cast<double>(i + 1) / static_cast<double>(parts);
    const auto geometric = std::llround(std::pow(static_cast<double>(num_train_timesteps), share));
    end = std::clamp<std::int64_t>(geometric, first + 1, num_train_timesteps - parts + i + 1);
    chosen.t.push_back(first);
    chosen.weights.push_back(static_cast<double>(end - first));
  }
  return chosen;
}

BitsPerDimension bits_per_dimension(const TimestepNetwork& network, const VariationalBound& bound,
                                    const ForwardProcess& process, PredictionType type, const torch::Tensor& x0,
                                    const BoundTimesteps& timesteps, at::Generator generator) {
  const torch::NoGradGuard no_grad;
  BitsPerDimension bits;
  bits.images = x0.size(0);
  bits.timesteps = timesteps;
  bits.prior = bits.total = bound.prior(x0).mean().item<double>();
  for (std::size_t i = 0; i < timesteps.t.size(); ++i) {
    const auto t = draw_timesteps(timesteps, i, x0.size(0), generator).to(x0.device());
    const auto noise = torch::randn(x0.sizes(), generator, torch::kFloat32).to(x0.device());
    const auto xt = process.add_noise(x0, noise, t);
    const auto raw = network(xt, t).to(torch::kFloat32);
    const auto error = raw.narrow(1, 0, x0.size(1)) - process.target(type, x0, noise, t);
    bits.terms.push_back(bound.term(x0, xt, raw, t).mean().item<double>());
    bits.mse.push_back(error.square().mean().item<double>());
    bits.x0_mse.push_back((bound.predicted_x0(xt, raw, t) - x0).square().mean().item<double>());
    bits.total += timesteps.weights[i] * bits.terms.back();
  }
  return bits;
}

void accumulate(BitsPerDimension& mean, const BitsPerDimension& more) {
  if (mean.images == 0) {
    mean = more;
    return;
  }
  mean.images += more.images;
  const double share = static_cast<double>(more.images) / static_cast<double>(mean.images);
  const auto blend = [share](double& value, double other) { value += share * (other - value); };
  blend(mean.total, more.total);
  blend(mean.prior, more.prior);
  for (std::size_t i = 0; i < mean.terms.size(); ++i) {
    blend(mean.terms[i], more.terms[i]);
    blend(mean.mse[i], more.mse[i]);
    blend(mean.x0_mse[i], more.x0_mse[i]);
  }
}

}  // namespace sfumato
