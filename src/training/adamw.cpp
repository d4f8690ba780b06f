#include "training/adamw.h"

#include <stdexcept>

namespace sfumato {
namespace {

void copy_state(const std::map<std::string, torch::Tensor>& state, const std::string& name,
                const torch::Tensor& target) {
  const auto found = state.find(name);
  if (found == state.end()) throw std::runtime_error("the optimizer's state lacks '" + name + "'");
  if (found->second.sizes() != target.sizes()) {
    throw std::runtime_error("the optimizer's state holds '" + name + "' in another shape than the model has");
  }
  target.copy_(found->second);
}

/// A view of a tensor with the dimensions of `parameter` in which that one is contiguous if it is channels-last.
/// LibTorch's fused kernel copies tensors of another layout first, and pairs the values of different layouts wrongly.
torch::Tensor in_order_of(const torch::Tensor& parameter, const torch::Tensor& tensor) {
  const bool channels_last = parameter.dim() == 4 && parameter.is_contiguous(at::MemoryFormat::ChannelsLast);
  return channels_last ? tensor.permute({0, 2, 3, 1}) : tensor;
}

}  // namespace

AdamW::AdamW(const NamedTensors& parameters, AdamWOptions options) : options_(options) {
  groups_.resize(2);
  groups_[0].weight_decay = options.weight_decay;
  for (auto& [name, parameter] : parameters) {
    auto& group = groups_[parameter.dim() > 1 ? 0 : 1];
    group.names.push_back(name);
    group.exp_avg.push_back(torch::zeros_like(parameter));
    group.exp_avg_sq.push_back(torch::zeros_like(parameter));
    group.parameters.push_back(std::move(parameter));
  }
}

void AdamW::step(double lr) {
  const torch::NoGradGuard no_grad;
  ++steps_;
  for (auto& group : groups_) step_group(group, lr);
}

void AdamW::step_group(Group& group, double lr) {
  std::vector<torch::Tensor> parameters, gradients, exp_avg, exp_avg_sq, steps;
  for (std::size_t i = 0; i < group.parameters.size(); ++i) {
    const auto& parameter = group.parameters[i];
    if (!parameter.grad().defined()) continue;
    parameters.push_back(in_order_of(parameter, parameter));
    gradients.push_back(in_order_of(parameter, parameter.grad()).contiguous());
    exp_avg.push_back(in_order_of(parameter, group.exp_avg[i]));
    exp_avg_sq.push_back(in_order_of(parameter, group.exp_avg_sq[i]));
  }
  if (parameters.empty()) return;
  const auto step = torch::full({}, static_cast<float>(steps_), parameters[0].options().dtype(torch::kFloat32));
  steps.assign(parameters.size(), step);
  at::_fused_adamw_(parameters, gradients, exp_avg, exp_avg_sq, {}, steps, lr, options_.beta1, options_.beta2,
                    group.weight_decay, options_.eps, /*amsgrad=*/false, /*maximize=*/false);
}

void AdamW::zero_grad() {
  for (auto& group : groups_) {
    for (auto& parameter : group.parameters) parameter.mutable_grad().reset();
  }
}

std::map<std::string, torch::Tensor> AdamW::state() const {
  std::map<std::string, torch::Tensor> state{{"step", torch::full({1}, steps_, torch::kInt64)}};
  for (const auto& group : groups_) {
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      state["exp_avg." + group.names[i]] = group.exp_avg[i];
      state["exp_avg_sq." + group.names[i]] = group.exp_avg_sq[i];
    }
  }
  return state;
}

void AdamW::load_state(const std::map<std::string, torch::Tensor>& state) {
  const torch::NoGradGuard no_grad;
  auto steps = torch::zeros({1}, torch::kInt64);
  copy_state(state, "step", steps);
  steps_ = steps.item<std::int64_t>();
  for (auto& group : groups_) {
    for (std::size_t i = 0; i < group.names.size(); ++i) {
      copy_state(state, "exp_avg." + group.names[i], group.exp_avg[i]);
      copy_state(state, "exp_avg_sq." + group.names[i], group.exp_avg_sq[i]);
    }
  }
}

double clip_grad_norm(const NamedTensors& parameters, double max_norm) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> gradients;
  for (const auto& [name, parameter] : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  if (gradients.empty()) return 0;
  const double norm = torch::stack(at::_foreach_norm(gradients)).norm().item<double>();
  if (max_norm > 0 && norm > max_norm) at::_foreach_mul_(gradients, max_norm / (norm + 1e-6));
  return norm;
}

}  // namespace sfumato
