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

const torch::Tensor& StepNoise::path_at(double ratio) {
  auto& path = known_[ratio];  // [N, C, H, W]
  if (path.defined()) return path;
  std::vector<torch::Tensor> paths;
  for (const auto& tree : trees_) paths.push_back(tree.at(ratio));
  return path = torch::stack(paths);
}

torch::Tensor StepNoise::between(const Level& from, const Level& to) {
  if (trees_.empty()) return args_.noise.draw_like(args_.x);
  const double above = from.ratio(), below = to.ratio();
  known_.erase(known_.upper_bound(above), known_.end());
  // Along the sampler's way, which is the path's backwards.
  const auto gained = (path_at(below) - path_at(above)).to(torch::kFloat32);
  return to_device(gained / std::sqrt(above - below), args_.x.device());
}

}  // namespace sfumato
