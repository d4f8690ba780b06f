#include "training/ema.h"

#include <algorithm>
#include <stdexcept>

namespace sfumato {

Ema::Ema(NamedTensors parameters, double decay) : parameters_(std::move(parameters)), decay_(decay) {
  averages_.reserve(parameters_.size());
  for (const auto& [name, parameter] : parameters_) averages_.push_back(parameter.detach().clone());
}

double Ema::decay_at(std::int64_t step) const {
  const auto n = static_cast<double>(step);
  return std::min(decay_, (1.0 + n) / (10.0 + n));
}

void Ema::update(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> values;
  values.reserve(parameters_.size());
  for (const auto& [name, parameter] : parameters_) values.push_back(parameter.detach());
  at::_foreach_lerp_(averages_, values, 1.0 - decay_at(step));
}

std::map<std::string, torch::Tensor> Ema::state() const {
  std::map<std::string, torch::Tensor> state;
  for (std::size_t i = 0; i < averages_.size(); ++i) state[parameters_[i].first] = averages_[i];
  return state;
}

void Ema::load_state(const std::map<std::string, torch::Tensor>& state) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const auto& name = parameters_[i].first;
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != averages_[i].sizes()) {
      throw std::runtime_error("the saved averages lack '" + name + "' in the shape the model has");
    }
    averages_[i].copy_(found->second);
  }
}

void Ema::swap() {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < averages_.size(); ++i) {
    const auto held = averages_[i];
    averages_[i] = parameters_[i].second.detach();
    parameters_[i].second.set_data(held);
  }
}

}  // namespace sfumato
