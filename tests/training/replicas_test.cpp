#include "training/replicas.h"

#include "training/small_task.h"

namespace sfumato {
namespace {

class Replication : public SmallTask {
 protected:
  /// Gradients of the first batch by parameter name, and its loss.
  std::map<std::string, torch::Tensor> gradients(std::int64_t replicas) {
    const auto task = this->task(0);
    Replicas all(*task, replicas);
    std::map<std::string, torch::Tensor> found{{"loss", torch::tensor(all.backward(task->loader().batch(0)))}};
    for (const auto& [name, parameter] : task->objective().tensors().optimized)
      if (parameter.grad().defined()) found[name] = parameter.grad().clone();
    return found;
  }
};

// Sums in another order: 1e-5 of a gradient's own size, as for a layer in float32, or 1e-7 of the loss if a gradient
// is only rounding.
TEST_F(Replication, GivesTheGradientsOfTheWholeBatch) {
  const auto whole = gradients(1);
  for (const std::int64_t replicas : {2, 3}) {  // 3 divide a batch of 4 unevenly
    const auto parts = gradients(replicas);
    ASSERT_EQ(parts.size(), whole.size());
    for (const auto& [name, value] : whole) {
      const auto error = (parts.at(name) - value).norm().item<double>();
      EXPECT_LE(error, 1e-5 * value.norm().item<double>() + 1e-7 * whole.at("loss").item<double>())
          << name << " with " << replicas;
    }
  }
}

TEST_F(Replication, TrainsOneSetOfWeights) {
  const auto task = this->task(0);
  Replicas all(*task, 2);
  const double before = all.backward(task->loader().batch(0));
  {
    const torch::NoGradGuard no_grad;
    for (auto& [name, parameter] : task->objective().tensors().optimized) parameter.mul_(1.5);
  }
  EXPECT_NE(all.backward(task->loader().batch(0)), before);
  const auto own = task->objective().loss(task->loader().batch(0)).item<double>();
  EXPECT_NEAR(all.backward(task->loader().batch(0)), own, 1e-5 * own);
}

TEST_F(Replication, AddsWeightedGradientsOfSeveralBatches) {
  const auto task = this->task(0);
  Replicas all(*task, 2);
  const auto weight = task->objective().tensors().optimized.front().second;
  all.backward(task->loader().batch(0));
  const auto first = weight.grad().clone();
  weight.mutable_grad().reset();
  all.backward(task->loader().batch(1));
  const auto second = weight.grad().clone();
  weight.mutable_grad().reset();
  all.backward(task->loader().batch(0), .5);
  all.backward(task->loader().batch(1), .5);
  EXPECT_TRUE(torch::allclose(weight.grad(), (first + second) / 2, 1e-5, 1e-7));
  EXPECT_FALSE(torch::allclose(first, second, 1e-2, 1e-7)) << "the batches differ";
}

TEST_F(Replication, LeavesTheThreadsOfOperatorsAsTheyWere) {
  const auto threads = at::get_num_threads();
  gradients(2);
  EXPECT_EQ(at::get_num_threads(), threads);
}

TEST_F(Replication, RefusesWhatItCannotDivide) {
  EXPECT_THROW(check_replicas(5, {.batch_size = 4}), std::invalid_argument);
  EXPECT_THROW(check_replicas(2, {.batch_size = 4, .has_dropout = true}), std::invalid_argument);
  EXPECT_THROW(check_replicas(2, {.device = torch::Device(torch::kCUDA, 0), .batch_size = 4}), std::invalid_argument);
  EXPECT_NO_THROW(check_replicas(4, {.batch_size = 4}));
  EXPECT_EQ(default_replicas({.batch_size = 64, .has_dropout = true}), 1);
}

}  // namespace
}  // namespace sfumato
