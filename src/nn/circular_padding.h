#pragma once

#include <torch/torch.h>

#include <vector>

#include "nn/layers.h"

namespace sfumato {

/// While it lives, the convolutions of some networks pad with the opposite edge of their input (torch's padding_mode
/// "circular"), so that copies of an image join without a seam.
class CircularPadding {
 public:
  CircularPadding() = default;
  ~CircularPadding();
  CircularPadding(const CircularPadding&) = delete;
  CircularPadding& operator=(const CircularPadding&) = delete;

  void add(torch::nn::Module& network);

 private:
  std::vector<std::shared_ptr<Conv2dImpl>> convolutions_;
};

}  // namespace sfumato
