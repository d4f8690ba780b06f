#pragma once

#include <torch/torch.h>

namespace sfumato {

/// Returns the contrastive loss of CLIP (Radford et al. 2021, figure 3): the mean of the cross entropies over rows and
/// over columns of `logits` [N, N], image i against text j. Captions may repeat in a batch: `same` [N, N], symmetric,
/// is true where texts i and j are equal, and the target of image i is uniform over its texts. With distinct texts it
/// is the paper's loss.
torch::Tensor contrastive_loss(const torch::Tensor& logits, const torch::Tensor& same);

/// Returns true [N, N] where rows i and j of the token ids [N, L] are equal.
torch::Tensor same_texts(const torch::Tensor& ids);

/// Returns true [N] for the images whose most similar text is their own or an equal one.
torch::Tensor retrieves_text(const torch::Tensor& logits, const torch::Tensor& same);

}  // namespace sfumato
