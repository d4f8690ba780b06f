#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "training/task.h"

namespace sfumato {

/// Facts about a run that limit its replicas.
struct ReplicaNeeds {
  torch::Device device = torch::kCPU;
  std::int64_t batch_size = 1;
  bool has_dropout = false;
};

/// Replicas of a run where the user names no number: on a CPU one for each thread, at most 8, each with at least 4 rows
/// of a batch; else 1. Two threads that share each operator finish 1.3 times the pictures
/// of one; two replicas of one thread each, 1.75 times.
std::int64_t default_replicas(const ReplicaNeeds& needs);

/// Throws std::invalid_argument where there cannot be `count` replicas: on a GPU, with fewer rows in a batch
/// than replicas, or with dropout, whose draws would depend on the threads' order.
void check_replicas(std::int64_t count, const ReplicaNeeds& needs);

/// Data parallelism within a process: copies of an objective that share the memory of its weights, each with gradients
/// of its own and a share of the threads.
class Replicas {
 public:
  /// `count` of them, the task's own objective included.
  Replicas(Task& task, std::int64_t count);

  /// Computes a batch's gradients, part by part at the same time, and adds `weight` times their sum to the gradients of
  /// the task's own parameters. Returns `weight` times the loss of the whole batch.
  double backward(const Batch& batch, double weight = 1);

 private:
  void share_weights();
  void reduce_gradients();

  std::vector<Objective*> objectives_;  // the task's own first
  std::vector<std::unique_ptr<Objective>> copies_;
  std::vector<TrainableSet> tensors_;
};

}  // namespace sfumato
