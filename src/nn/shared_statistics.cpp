#include "nn/shared_statistics.h"

namespace sfumato {

SharedStatistics::SharedStatistics(torch::nn::Module& network, const std::function<void()>& whole) {
  for (const auto& module : network.modules()) {
    if (auto* norm = module->as<GroupNormImpl>()) norms_.push_back(norm);
  }
  for (auto* norm : norms_) norm->statistics = GroupNormImpl::Statistics::kKept;
  whole();
  for (auto* norm : norms_) norm->statistics = GroupNormImpl::Statistics::kGiven;
}

SharedStatistics::~SharedStatistics() {
  for (auto* norm : norms_) norm->statistics = GroupNormImpl::Statistics::kOwn;
}

}  // namespace sfumato
