#include "diffusion/samplers.h"

namespace sfumato {
namespace {

torch::Tensor with_eta(SampleArgs args, double eta) {
  args.options.eta = eta;
  return sample_ddim(args);
}

}  // namespace

torch::Tensor sample_euler(const SampleArgs& args) {
  return with_eta(args, 0);
}

torch::Tensor sample_euler_ancestral(const SampleArgs& args) {
  return with_eta(args, 1);
}

}  // namespace sfumato
