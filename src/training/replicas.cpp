#include "training/replicas.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <future>
#include <stdexcept>
#include <string>

namespace sfumato {
namespace {

constexpr std::int64_t kMostReplicas = 8, kFewestRows = 4;

/// Returns the loss of a part of a batch times `weight`, and adds its gradients to the objective's.
double backward_of(Objective& objective, const Batch& part, double weight) {
  const auto loss = objective.loss(part) * weight;
  loss.backward();
  return loss.item<double>();
}

/// Guard that sets the number of threads of every operator on the calling thread.
class ThreadShare {
 public:
  explicit ThreadShare(int threads) : before_(at::get_num_threads()) { at::set_num_threads(threads); }
  ~ThreadShare() { at::set_num_threads(before_); }
  ThreadShare(const ThreadShare&) = delete;
  ThreadShare& operator=(const ThreadShare&) = delete;

 private:
  int before_;
};

}  // namespace

std::int64_t default_replicas(const ReplicaNeeds& needs) {
  if (!needs.device.is_cpu() || needs.has_dropout || needs.couples_rows) return 1;
  const auto threads = static_cast<std::int64_t>(at::get_num_threads());
  return std::max<std::int64_t>(1, std::min({threads, kMostReplicas, needs.batch_size / kFewestRows}));
}

void check_replicas(std::int64_t count, const ReplicaNeeds& needs) {
  const auto refuse = [&](const std::string& expected) {
    throw std::invalid_argument("--replicas " + std::to_string(count) + ": " + expected);
  };
  if (count == 1) return;
  if (!needs.device.is_cpu()) refuse("expected 1 on " + needs.device.str());
  if (count > needs.batch_size) refuse("expected at most the batch_size, " + std::to_string(needs.batch_size));
  if (needs.has_dropout) refuse("expected 1 with a network that has dropout");
  if (needs.couples_rows) refuse("expected 1 with a loss that compares the rows of a batch");
}

Replicas::Replicas(Task& task, std::int64_t count) : objectives_{&task.objective()} {
  for (std::int64_t i = 1; i < count; ++i) {
    copies_.push_back(task.new_objective());
    objectives_.push_back(copies_.back().get());
  }
  for (auto* objective : objectives_) tensors_.push_back(objective->tensors());
}

void Replicas::share_weights() {
  const auto& own = tensors_[0].checkpointed;
  for (std::size_t k = 1; k < tensors_.size(); ++k)
    for (std::size_t i = 0; i < own.size(); ++i) tensors_[k].checkpointed[i].second.set_data(own[i].second.detach());
}

void Replicas::reduce_gradients() {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> sums;
  for (const auto& [name, parameter] : tensors_[0].optimized)
    if (parameter.grad().defined()) sums.push_back(parameter.grad());
  for (std::size_t k = 1; k < tensors_.size(); ++k) {
    std::vector<torch::Tensor> gradients;
    for (auto& [name, parameter] : tensors_[k].optimized) {
      if (parameter.grad().defined()) gradients.push_back(parameter.grad());
      parameter.mutable_grad().reset();
    }
    TORCH_CHECK(gradients.size() == sums.size(), "replicas differ in the parameters that have gradients");
    at::_foreach_add_(sums, gradients);
  }
}

double Replicas::backward(const Batch& batch, double weight) {
  const auto rows = rows_of(batch), count = static_cast<std::int64_t>(objectives_.size());
  if (count == 1) return backward_of(*objectives_[0], batch, weight);
  share_weights();
  const int threads = std::max(1, at::get_num_threads() / static_cast<int>(count));
  const auto run = [&](std::int64_t k) {
    const ThreadShare share(threads);
    const auto first = rows * k / count, length = rows * (k + 1) / count - first;
    return backward_of(*objectives_[static_cast<std::size_t>(k)], slice_rows(batch, first, length),
                       weight * static_cast<double>(length) / static_cast<double>(rows));
  };
  std::vector<std::future<double>> others;
  for (std::int64_t k = 1; k < count; ++k) others.push_back(std::async(std::launch::async, run, k));
  double loss = run(0);
  for (auto& other : others) loss += other.get();
  reduce_gradients();
  return loss;
}

}  // namespace sfumato
