#include "diffusion/step_noise.h"

#include <cmath>

#include "core/cuda.h"

namespace sfumato {

StepNoise::StepNoise(const SampleArgs& args) : args_(args) {
  if (!args.options.brownian) return;
  const auto [least, largest] = *args.options.brownian;
  for (const auto seed : args.noise.seeds())
    trees_.emplace_back(least, largest, args.x.sizes().slice(1), seed, args.noise.rng());
}

torch::Tensor StepNoise::between(const Level& from, const Level& to) {
  if (trees_.empty()) return args_.noise.draw_like(args_.x);
  const double above = from.ratio(), below = to.ratio();
  std::vector<torch::Tensor> increments;
  for (auto& tree : trees_) increments.push_back(tree.increment(below, above));
  // In the direction of sampling, which is opposite to the path's.
  const auto noise = torch::stack(increments) / -std::sqrt(above - below);  // [N, C, H, W]
  return to_device(noise, args_.x.device());
}

}  // namespace sfumato
