#include "models/replayed_unet.h"

#include <iterator>
#include <utility>

#include "nn/circular_padding.h"

namespace sfumato {
namespace {

using Tensors = ReplayedFunction::Tensors;

/// Members of an input that are always in the list of tensors. The text's keys and values in each layer follow them,
/// undefined if they are absent, and then the down blocks' residuals.
constexpr torch::Tensor UNet2DConditionInput::*kMembers[] = {&UNet2DConditionInput::sample,
                                                             &UNet2DConditionInput::timestep,
                                                             &UNet2DConditionInput::encoder_hidden_states,
                                                             &UNet2DConditionInput::encoder_attention_mask,
                                                             &UNet2DConditionInput::class_labels,
                                                             &UNet2DConditionInput::timestep_cond,
                                                             &UNet2DConditionInput::text_embeds,
                                                             &UNet2DConditionInput::time_ids,
                                                             &UNet2DConditionInput::mid_block_additional_residual};

Tensors listed(const UNet2DConditionInput& input, std::size_t text_layers) {
  Tensors tensors;
  for (const auto member : kMembers) tensors.push_back(input.*member);
  tensors.insert(tensors.end(), input.text_keys_values.begin(), input.text_keys_values.end());
  tensors.resize(std::size(kMembers) + text_layers);
  const auto& residuals = input.down_block_additional_residuals;
  tensors.insert(tensors.end(), residuals.begin(), residuals.end());
  return tensors;
}

UNet2DConditionInput input_of(const Tensors& tensors, std::size_t text_layers) {
  UNet2DConditionInput input;
  auto next = tensors.begin();
  for (const auto member : kMembers) input.*member = *next++;
  const auto residuals = next + static_cast<std::ptrdiff_t>(text_layers);
  if (next != residuals && next->defined()) input.text_keys_values.assign(next, residuals);
  input.down_block_additional_residuals.assign(residuals, tensors.end());
  return input;
}

bool is_function_of_tensors(const UNet2DConditionInput& input) {
  return input.identity.rows == 0 && input.watch.layer == nullptr && !CircularPadding::is_enabled();
}

}  // namespace

ReplayedUNet::ReplayedUNet(std::shared_ptr<UNet2DConditionModelImpl> unet, DeviceGraphsOrNote graphs)
    : unet_(std::move(unet)),
      replayed_([unet = unet_](const Tensors& inputs) { return unet->forward(input_of(inputs, unet->text_layers())); },
                unet_->parameters(), std::move(graphs)) {}

torch::Tensor ReplayedUNet::forward(const UNet2DConditionInput& input) {
  return is_function_of_tensors(input) ? replayed_(listed(input, unet_->text_layers())) : unet_->forward(input);
}

std::shared_ptr<ReplayedUNet> replayed(const std::shared_ptr<UNet2DConditionModelImpl>& unet, torch::Device device) {
  return device.is_cuda() ? std::make_shared<ReplayedUNet>(unet, cuda_graphs(device)) : nullptr;
}

std::shared_ptr<ReplayedFunction> replayed(const std::shared_ptr<UNet2DModelImpl>& unet, torch::Device device) {
  if (!device.is_cuda()) return nullptr;
  return std::make_shared<ReplayedFunction>(
      [unet](const Tensors& inputs) { return unet->forward(inputs[0], inputs[1], inputs[2]); }, unet->parameters(),
      cuda_graphs(device));
}

}  // namespace sfumato
