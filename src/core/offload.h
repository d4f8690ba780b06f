#pragma once

#include <torch/torch.h>

#include <mutex>
#include <vector>

namespace sfumato {

/// Weights of a network that rest in host memory, and are on a device only while the network computes. Several threads
/// may use them at once.
class OffloadedWeights {
 public:
  /// Takes a network on the CPU, which must outlive it. For CUDA its weights move to pinned memory, from which copies
  /// are several times as fast.
  OffloadedWeights(torch::nn::Module& network, torch::Device device);

  /// Guard during which the weights are copies on the device. Null weights are not offloaded: it has no effect then.
  class OnDevice {
   public:
    explicit OnDevice(OffloadedWeights* weights);
    ~OnDevice();
    OnDevice(const OnDevice&) = delete;
    OnDevice& operator=(const OnDevice&) = delete;

   private:
    OffloadedWeights* weights_;
  };

 private:
  std::vector<torch::Tensor> tensors() const;
  void copy_to_device();
  void return_to_host();

  torch::nn::Module& network_;
  torch::Device device_;
  std::vector<torch::Tensor> host_;  ///< the weights, while the network has copies
  int uses_ = 0;
  std::mutex mutex_;
};

}  // namespace sfumato
