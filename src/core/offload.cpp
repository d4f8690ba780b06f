#include "core/offload.h"

namespace sfumato {

OffloadedWeights::OffloadedWeights(torch::nn::Module& network, torch::Device device)
    : network_(network), device_(device) {
  if (!device.is_cuda()) return;
  for (auto& tensor : tensors()) tensor.set_data(tensor.detach().pin_memory());
}

std::vector<torch::Tensor> OffloadedWeights::tensors() const {
  auto tensors = network_.parameters();
  const auto buffers = network_.buffers();
  tensors.insert(tensors.end(), buffers.begin(), buffers.end());
  return tensors;
}

void OffloadedWeights::copy_to_device() {
  const std::lock_guard lock(mutex_);
  if (uses_++ > 0) return;
  for (auto& tensor : tensors()) {
    host_.push_back(tensor.detach());
    tensor.set_data(host_.back().to(device_, host_.back().scalar_type(), /*non_blocking=*/true, /*copy=*/true));
  }
}

void OffloadedWeights::return_to_host() {
  const std::lock_guard lock(mutex_);
  if (--uses_ > 0) return;
  auto host = host_.begin();
  for (auto& tensor : tensors()) tensor.set_data(*host++);
  host_.clear();
}

OffloadedWeights::OnDevice::OnDevice(OffloadedWeights* weights) : weights_(weights) {
  if (weights_ != nullptr) weights_->copy_to_device();
}

OffloadedWeights::OnDevice::~OnDevice() {
  if (weights_ != nullptr) weights_->return_to_host();
}

}  // namespace sfumato
