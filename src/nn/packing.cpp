#include "nn/packing.h"

#include "core/memory_pool.h"
#include "core/processor.h"
#include "nn/layers.h"
#include "nn/transformer.h"

namespace sfumato {
namespace {

constexpr std::size_t kModulesBetweenShrinks = 32;

}  // namespace

bool packs_weights(const Placement& placement) {
  return placement.device.is_cpu() && placement.dtype == torch::kBFloat16 && has_fast_bfloat16() &&
         at::globalContext().userEnabledMkldnn() && at::globalContext().hasMKLDNN();
}

void pack_weights(torch::nn::Module& network) {
  const torch::NoGradGuard no_gradients;
  const auto modules = network.modules();
  // First, because a feed-forward layer packs the halves of its first layer apart.
  for (const auto& module : modules)
    if (auto* feed_forward = module->as<FeedForwardImpl>()) feed_forward->pack();
  std::size_t packed = 0;
  for (const auto& module : modules) {
    if (auto* linear = module->as<LinearImpl>()) linear->pack();
    if (auto* convolution = module->as<Conv2dImpl>()) convolution->pack();
    if (++packed % kModulesBetweenShrinks == 0) shrink_cpu_pool();  // oneDNN allocates by itself
  }
  shrink_cpu_pool();
}

}  // namespace sfumato
