#include "training/network_parameters.h"

#include "nn/layers.h"

namespace sfumato {

void place_for_training(torch::nn::Module& network, torch::Device device) {
  network.to(device, torch::kFloat32);
  make_channels_last(network);
  for (auto& parameter : network.parameters()) parameter.requires_grad_(true);
  network.train();
}

NamedTensors named_parameters_of(torch::nn::Module& network, const std::string& prefix) {
  NamedTensors parameters;
  for (const auto& item : network.named_parameters()) parameters.emplace_back(prefix + "." + item.key(), item.value());
  return parameters;
}

void copy_weights(torch::nn::Module& network, const std::filesystem::path& folder, const KeyRename& rename) {
  const torch::NoGradGuard no_grad;
  const auto parameters = network.parameters();
  if (parameters.empty()) return;
  std::vector<torch::Tensor> own;  // loading replaces the data by views of the mapped file, from which it is copied
  own.reserve(parameters.size());
  for (const auto& parameter : parameters) own.push_back(parameter.detach());
  load_weights(network, folder, {parameters[0].device(), torch::kFloat32}, rename);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    own[i].copy_(parameters[i]);
    parameters[i].set_data(own[i]);
  }
}

}  // namespace sfumato
