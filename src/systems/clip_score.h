#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "systems/clip.h"

namespace sfumato {

/// CLIP scores of images [N, 3, H, W] in [-1, 1] and their captions: 100 max(cos, 0) of the features of an image and of
/// its caption, float32 [N] on the CPU (Hessel et al. 2021 with the factor of torchmetrics' CLIPScore). Throws
/// std::invalid_argument for a model of latents.
torch::Tensor clip_scores(const CLIP& clip, const torch::Tensor& images, const std::vector<std::string>& captions);

}  // namespace sfumato
