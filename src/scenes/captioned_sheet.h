#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

namespace sfumato {

/// Arranges images [N, 3, S, S] in [0, 1] in rows of `columns`, each with its caption below in small letters. Returns
/// [3, H, W] in [0, 1].
torch::Tensor captioned_sheet(const torch::Tensor& images, const std::vector<std::string>& captions,
                              std::int64_t columns);

}  // namespace sfumato
