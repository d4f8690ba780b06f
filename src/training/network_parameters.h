#pragma once

#include <torch/torch.h>

#include <filesystem>
#include <string>
#include <utility>

#include "checkpoints/load.h"
#include "nn/init.h"
#include "training/adamw.h"

namespace sfumato {

/// Moves a network to `device` in float32, with channels-last convolution kernels, in training mode.
void place_for_training(torch::nn::Module& network, torch::Device device);

/// Creates a network ready for training: initialised as its class requires, from a CPU `generator`, and placed.
template <class Network>
void prepare_for_training(Network& network, at::Generator generator, torch::Device device) {
  initialize(network, std::move(generator));
  place_for_training(network, device);
}

/// Guard during whose lifetime a network in training is in evaluation mode, without dropout.
class EvaluationScope {
 public:
  explicit EvaluationScope(torch::nn::Module& network) : network_(network) { network_.eval(); }
  ~EvaluationScope() { network_.train(); }
  EvaluationScope(const EvaluationScope&) = delete;
  EvaluationScope& operator=(const EvaluationScope&) = delete;

 private:
  torch::nn::Module& network_;
};

/// Returns the network's parameters as "PREFIX.NAME", in the order of named_parameters.
NamedTensors named_parameters_of(torch::nn::Module& network, const std::string& prefix);

/// Overwrites the parameters of a network that is ready for training with those of a diffusers folder, in place. Throws
/// std::runtime_error that lists missing, unexpected and misshapen keys.
void copy_weights(torch::nn::Module& network, const std::filesystem::path& folder, const KeyRename& rename);

}  // namespace sfumato
