#include "training/contrastive_loss.h"

namespace sfumato {

torch::Tensor contrastive_loss(const torch::Tensor& logits, const torch::Tensor& same) {
  const auto positives = same.to(logits.scalar_type());
  const auto targets = positives / positives.sum(1, true);  // [N, N], of texts for images and of images for texts
  const auto cross_entropy = [&](const torch::Tensor& scores) {
    return -(targets * scores.log_softmax(1)).sum(1).mean();
  };
  return (cross_entropy(logits) + cross_entropy(logits.t())) / 2;
}

torch::Tensor same_texts(const torch::Tensor& ids) {
  return (ids.unsqueeze(0) == ids.unsqueeze(1)).all(2);
}

torch::Tensor retrieves_text(const torch::Tensor& logits, const torch::Tensor& same) {
  return same.gather(1, logits.argmax(1, true)).squeeze(1);
}

}  // namespace sfumato
