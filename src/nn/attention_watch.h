#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>

namespace sfumato {

class AttentionImpl;

/// Requests the attention map of a self-attention layer while its network runs.
struct AttentionWatch {
  const AttentionImpl* layer = nullptr;
  /// Number of rows at the start of the batch to watch.
  std::int64_t rows = 0;
  /// Filled with AttentionImpl::received of those rows.
  std::shared_ptr<torch::Tensor> received = {};

  bool sees(const AttentionImpl& attention) const { return layer == &attention; }
};

}  // namespace sfumato
