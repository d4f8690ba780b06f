#include "models/replayed_unet.h"

#include <iterator>
#include <utility>

#include "nn/circular_padding.h"

namespace sfumato {
namespace {

using Tensors = ReplayedFunction::Tensors;

/// Members of an input that are always in the list of tensors; the down blocks' residuals follow them.
constexpr torch::Tensor UNet2DConditionInput::*kMembers[] = {&UNet2DConditionInput::sample,
                                                             &UNet2DConditionInput::timestep,
                                                             &UNet2DConditionInput::encoder_hidden_states,
                                                             &UNet2DConditionInput::encoder_attention_mask,
                                                             &UNet2DConditionInput::class_labels,
                                                             &UNet2DConditionInput::timestep_cond,
                                                             &UNet2DConditionInput::text_embeds,
                                                             &UNet2DConditionInput::time_ids,
                                                             &UNet2DConditionInput::mid_block_additional_residual};

Tensors listed(const UNet2DConditionInput& input) {
  Tensors tensors;
  for (const auto member : kMembers) tensors.push_back(input.*member);
  const auto& residuals = input.down_block_additional_residuals;
  tensors.insert(tensors.end(), residuals.begin(), residuals.end());
  return tensors;
}

UNet2DConditionInput input_of(const Tensors& tensors) {
  UNet2DConditionInput input;
  auto next = tensors.begin();
  for (const auto member : kMembers) input.*member = *next++;
  input.down_block_additional_residuals.assign(next, tensors.end());
  return input;
}

bool is_function_of_tensors(const UNet2DConditionInput& input) {
  return input.identity.rows == 0 && input.watch.layer == nullptr && !CircularPadding::is_enabled();
}

}  // namespace

ReplayedUNet::ReplayedUNet(std::shared_ptr<UNet2DConditionModelImpl> unet, DeviceGraphsOrNote graphs)
    : unet_(std::move(unet)),
      replayed_([unet = unet_](const Tensors& inputs) { return unet->forward(input_of(inputs)); }, unet_->parameters(),
                std::move(graphs)) {}

torch::Tensor ReplayedUNet::forward(const UNet2DConditionInput& input) {
  return is_function_of_tensors(input) ? replayed_(listed(input)) : unet_->forward(input);
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
