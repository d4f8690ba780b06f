#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>

namespace sfumato {

class AttentionImpl;

/// A self-attention layer that is asked, while its network runs, what it attends to.
struct AttentionWatch {
  const AttentionImpl* layer = nullptr;
  /// Of the batch, the first ones.
  std::int64_t rows = 0;
  /// Takes AttentionImpl::received of those rows.
  std::shared_ptr<torch::Tensor> received = {};

  bool sees(const AttentionImpl& attention) const { return layer == &attention; }
};

}  // namespace sfumato
