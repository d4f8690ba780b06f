#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>

#include "training/adamw.h"

namespace sfumato {

/// Exponential moving average of the weights, used for samples and exports. The decay warms up as
/// min(decay, (1 + step) / (10 + step)) (the older rule of diffusers' EMAModel, TensorFlow's num_updates), so that the
/// random start is forgotten.
class Ema {
 public:
  Ema(NamedTensors parameters, double decay);

  /// Moves the average towards the parameters after the update numbered `step` from 0.
  void update(std::int64_t step);
  double decay_at(std::int64_t step) const;

  /// Returns the averages by name; they share memory.
  std::map<std::string, torch::Tensor> state() const;
  /// Throws std::runtime_error for a missing or misshapen tensor.
  void load_state(const std::map<std::string, torch::Tensor>& state);

  /// Exchanges the parameters' values with the averages (by set_data); a second call changes them back.
  void swap();

 private:
  NamedTensors parameters_;
  std::vector<torch::Tensor> averages_;
  double decay_;
};

/// Guard during whose lifetime the model holds the averages.
class EmaScope {
 public:
  explicit EmaScope(Ema& ema) : ema_(ema) { ema_.swap(); }
  ~EmaScope() { ema_.swap(); }
  EmaScope(const EmaScope&) = delete;
  EmaScope& operator=(const EmaScope&) = delete;

 private:
  Ema& ema_;
};

}  // namespace sfumato
