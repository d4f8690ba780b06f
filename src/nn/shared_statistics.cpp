#include "nn/shared_statistics.h"

namespace sfumato {

SharedStatistics::SharedStatistics(torch::nn::Module& network, const std::function<void()>& whole) {
  for (const auto& module : network.modules()) {
    if (auto* norm = module->as<GroupNormImpl>()) norms_.push_back(norm);
  }
  try {
    set(GroupNormImpl::Statistics::kKept);
    whole();
  } catch (...) {  // no destructor comes
    set(GroupNormImpl::Statistics::kOwn);
    throw;
  }
  set(GroupNormImpl::Statistics::kGiven);
}

SharedStatistics::~SharedStatistics() {
  set(GroupNormImpl::Statistics::kOwn);
}

void SharedStatistics::set(GroupNormImpl::Statistics statistics) {
  for (auto* norm : norms_) norm->statistics = statistics;
}

}  // namespace sfumato
