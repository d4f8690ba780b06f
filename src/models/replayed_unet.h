#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>

#include "core/device_graph.h"
#include "core/replayed_function.h"
#include "models/unet_2d_condition_model.h"
#include "models/unet_2d_model.h"

namespace sfumato {

/// UNet2DConditionModel whose forward pass on a device is replayed from graphs.
class ReplayedUNet {
 public:
  ReplayedUNet(std::shared_ptr<UNet2DConditionModelImpl> unet, DeviceGraphsOrNote graphs);

  /// Returns the network's output for the same input. Calls the network itself where its operations depend on more than
  /// the input's shapes: for perturbed layers, a watched layer and circular padding.
  torch::Tensor forward(const UNet2DConditionInput& input);
  void clear() { replayed_.clear(); }
  std::string note() const { return replayed_.note(); }
  std::string warning() const { return replayed_.warning(); }

 private:
  std::shared_ptr<UNet2DConditionModelImpl> unet_;
  ReplayedFunction replayed_;
};

/// Returns a UNet on a CUDA device with its graphs (cuda_graphs); null for another device.
std::shared_ptr<ReplayedUNet> replayed(const std::shared_ptr<UNet2DConditionModelImpl>& unet, torch::Device device);

/// Returns the forward pass of a UNet2DModel on a CUDA device as a function of sample, timestep and class labels (or an
/// undefined tensor); null for another device.
std::shared_ptr<ReplayedFunction> replayed(const std::shared_ptr<UNet2DModelImpl>& unet, torch::Device device);

}  // namespace sfumato
