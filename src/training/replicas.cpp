#include "training/replicas.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <future>
#include <stdexcept>
#include <string>

namespace sfumato {
namespace {

constexpr std::int64_t kMostReplicas = 8, kFewestRows = 4;

bool has_dropout(const Recipe& recipe) {
  return recipe.unet.is_object() && value_or(recipe.unet, "dropout", 0.0) > 0;
}

/// Loss of a part of a batch, weighted by its share of the rows; its gradients are added to the objective's.
double backward_of(Objective& objective, const Batch& part, double weight) {
  const auto loss = objective.loss(part) * weight;
  loss.backward();
  return loss.item<double>();
}

/// Threads that every operator of the calling thread uses while this lives.
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

std::int64_t default_replicas(const Recipe& recipe, torch::Device device) {
  if (!device.is_cpu() || has_dropout(recipe)) return 1;
  const auto threads = static_cast<std::int64_t>(at::get_num_threads());
  return std::max<std::int64_t>(1, std::min({threads, kMostReplicas, recipe.batch_size / kFewestRows}));
}

void check_replicas(std::int64_t count, const Recipe& recipe, torch::Device device) {
  const auto refuse = [&](const std::string& expected) {
    throw std::invalid_argument("--replicas " + std::to_string(count) + ": " + expected);
  };
  if (count == 1) return;
  if (!device.is_cpu()) refuse("expected 1 on " + device.str());
  if (count > recipe.batch_size) refuse("expected at most the batch_size, " + std::to_string(recipe.batch_size));
  if (has_dropout(recipe)) refuse("expected 1 with a network that has dropout");
}

Replicas::Replicas(Task& task, std::int64_t count) : objectives_{&task.objective()} {
  for (std::int64_t i = 1; i < count; ++i) {
    copies_.push_back(task.new_objective());
    objectives_.push_back(copies_.back().get());
  }
  for (auto* objective : objectives_) parameters_.push_back(objective->parameters());
}

void Replicas::share_weights() {
  for (std::size_t k = 1; k < parameters_.size(); ++k)
    for (std::size_t i = 0; i < parameters_[k].size(); ++i)
      parameters_[k][i].second.set_data(parameters_[0][i].second.detach());
}

void Replicas::reduce_gradients() {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> sums;
  for (const auto& [name, parameter] : parameters_[0])
    if (parameter.grad().defined()) sums.push_back(parameter.grad());
  for (std::size_t k = 1; k < parameters_.size(); ++k) {
    std::vector<torch::Tensor> gradients;
    for (auto& [name, parameter] : parameters_[k]) {
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
