#include "nn/circular_padding.h"

namespace sfumato {

CircularPadding::~CircularPadding() {
  for (const auto& convolution : convolutions_) convolution->circular = false;
}

void CircularPadding::add(torch::nn::Module& network) {
  for (const auto& module : network.modules()) {
    const auto convolution = std::dynamic_pointer_cast<Conv2dImpl>(module);
    if (!convolution) continue;
    convolution->circular = true;
    convolutions_.push_back(convolution);
  }
}

}  // namespace sfumato
