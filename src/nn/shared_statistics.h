#pragma once

#include <torch/torch.h>

#include <functional>
#include <vector>

#include "nn/layers.h"

namespace sfumato {

/// While it lives, the group norms of a network normalise by statistics of another input than the one that they are
/// given: parts of a picture by those of the whole.
class SharedStatistics {
 public:
  /// Runs `whole`, a forward pass of `network`, and keeps the statistics of its norms. Later passes are to have as many
  /// rows.
  SharedStatistics(torch::nn::Module& network, const std::function<void()>& whole);
  ~SharedStatistics();
  SharedStatistics(const SharedStatistics&) = delete;

 private:
  void set(GroupNormImpl::Statistics statistics);

  std::vector<GroupNormImpl*> norms_;
};

}  // namespace sfumato
