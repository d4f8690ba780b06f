#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sfumato {

/// Parameters in a fixed order with their names in checkpoints.
using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

struct AdamWOptions {
  double lr = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0.01;
};

/// AdamW (Loshchilov & Hutter 2019, algorithm 2; torch.optim.AdamW) by ATen's fused kernel: one pass over memory for
/// all tensors. Weight decay acts on matrices and kernels, not on biases and norms (tensors of one dimension).
class AdamW {
 public:
  AdamW(const NamedTensors& parameters, AdamWOptions options);

  /// Performs one update with learning rate `lr`; parameters without a gradient stay unchanged.
  void step(double lr);
  void zero_grad();

  /// Returns moments and the count of updates by name: "exp_avg.NAME", "exp_avg_sq.NAME", "step". They share memory.
  std::map<std::string, torch::Tensor> state() const;
  /// Copies a saved state in. Throws std::runtime_error for a missing or misshapen tensor.
  void load_state(const std::map<std::string, torch::Tensor>& state);

 private:
  struct Group {
    double weight_decay = 0;
    std::vector<torch::Tensor> parameters, exp_avg, exp_avg_sq;
    std::vector<std::string> names;
  };
  void step_group(Group& group, double lr);

  std::vector<Group> groups_;
  AdamWOptions options_;
  std::int64_t steps_ = 0;
};

/// Scales the gradients so that their joint 2-norm is at most `max_norm` (0: no clipping), and returns the norm before
/// (torch.nn.utils.clip_grad_norm_).
double clip_grad_norm(const NamedTensors& parameters, double max_norm);

}  // namespace sfumato
