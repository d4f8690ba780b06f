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
  bool couples_rows = false;  ///< the loss is no mean over rows
};

/// Default number of replicas of a run: on a CPU one for each thread, at most 8, each with at least 4 rows of a batch;
/// else 1. Two threads that share each operator have 1.3 times the throughput of one; two replicas of one thread each
/// have 1.75 times.
std::int64_t default_replicas(const ReplicaNeeds& needs);

/// Throws std::invalid_argument if `count` replicas are not possible: on a GPU, with fewer rows in a batch than
/// replicas, with dropout, whose draws would depend on the order of the threads, or with a loss that compares rows.
void check_replicas(std::int64_t count, const ReplicaNeeds& needs);

/// Data parallelism within a process: copies of an objective that share the memory of its weights, each with its own
/// gradients and a share of the threads.
class Replicas {
 public:
  /// Makes `count` replicas, including the task's own objective.
  Replicas(Task& task, std::int64_t count);

  /// Computes the gradients of a batch's parts in parallel, and adds `weight` times their sum to the gradients of the
  /// task's own parameters. Returns `weight` times the loss of the whole batch.
  double backward(const Batch& batch, double weight = 1);

 private:
  void share_weights();
  void reduce_gradients();

  std::vector<Objective*> objectives_;  // the task's own first
  std::vector<std::unique_ptr<Objective>> copies_;
  std::vector<TrainableSet> tensors_;
};

}  // namespace sfumato
