#include "diffusion/samplers.h"

#include <stdexcept>

namespace sfumato {

const std::vector<Sampler>& samplers() {
  static const std::vector<Sampler> table = {
      {"ddim", "DDIM: deterministic at eta 0; good from 20 steps", StepGrid::ddim, sample_ddim},
      {"ddpm", "DDPM: fresh noise at each step; wants 100 steps and more", StepGrid::ancestral, sample_ddpm},
  };
  return table;
}

const Sampler& find_sampler(const std::string& name) {
  std::string known;
  for (const auto& sampler : samplers()) {
    if (sampler.name == name) return sampler;
    known += (known.empty() ? "" : ", ") + sampler.name;
  }
  throw std::invalid_argument("sampler is '" + name + "', expected one of " + known);
}

bool report_step(const SampleArgs& args, std::size_t step, const torch::Tensor& x) {
  return !args.on_step || args.on_step(static_cast<int>(step), static_cast<int>(args.steps.size()), x);
}

}  // namespace sfumato
