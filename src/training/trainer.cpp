#include "training/trainer.h"

#include <chrono>
#include <cmath>
#include <stdexcept>

#include "training/ema.h"
#include "training/learning_rate.h"
#include "training/loading/read_ahead.h"
#include "training/randomness.h"
#include "training/replicas.h"

namespace sfumato {
namespace {

using Clock = std::chrono::steady_clock;

/// State that an update changes: weights, optimizer, averages.
class TrainingState {
 public:
  TrainingState(Task& task, const Recipe& recipe, std::int64_t replicas)
      : task_(task),
        recipe_(recipe),
        tensors_(task.objective().tensors()),
        replicas_(task, replicas),
        batches_(task.loader()),
        optimizer_(tensors_.optimized, recipe.optimizer),
        ema_(tensors_.averaged, recipe.ema_decay),
        learning_rate_{recipe.optimizer.lr, recipe.warmup_steps, recipe.steps, recipe.final_lr} {}

  struct Update {
    double loss = 0, lr = 0, grad_norm = 0;
  };

  Update update(std::int64_t step) {
    const auto batches = recipe_.gradient_accumulation_steps;
    double loss = 0;
    for (auto number = step * batches; number < (step + 1) * batches; ++number) loss += backward(number);
    Update update{loss, learning_rate_.at(step), clip_grad_norm(tensors_.optimized, recipe_.clip_grad_norm)};
    if (!std::isfinite(update.loss) || !std::isfinite(update.grad_norm)) {
      throw std::runtime_error("the loss is not finite at step " + std::to_string(step) +
                               "; a smaller optimizer.lr or precision fp32 may help");
    }
    optimizer_.step(update.lr);
    optimizer_.zero_grad();
    ema_.update(step);
    return update;
  }

  Checkpoint checkpoint(std::int64_t step, const Json& metrics) const {
    Checkpoint checkpoint{step, {}, metrics};
    for (const auto& [name, value] : tensors_.checkpointed) checkpoint.tensors["model." + name] = value.detach();
    for (const auto& [name, value] : ema_.state()) checkpoint.tensors["ema." + name] = value;
    for (const auto& [name, value] : optimizer_.state()) checkpoint.tensors["optimizer." + name] = value;
    return checkpoint;
  }

  void restore(const Checkpoint& checkpoint) {
    const torch::NoGradGuard no_grad;
    const auto model = checkpoint.part("model.");
    for (auto& [name, value] : tensors_.checkpointed) {
      const auto found = model.find(name);
      if (found == model.end() || found->second.sizes() != value.sizes()) {
        throw std::runtime_error("the checkpoint lacks '" + name + "' in the shape that the recipe requires");
      }
      value.copy_(found->second);
    }
    ema_.load_state(checkpoint.part("ema."));
    optimizer_.load_state(checkpoint.part("optimizer."));
  }

  Ema& ema() { return ema_; }

 private:
  /// Returns the loss of batch `number`, and adds its gradients to the objective's.
  double backward(std::int64_t number) {
    const auto batch = batches_.take(number);
    const bool on_cpu = tensors_.optimized.front().second.is_cpu();
    const bool is_last = number + 1 == recipe_.steps * recipe_.gradient_accumulation_steps;
    if (!on_cpu && !is_last) batches_.start(number + 1);  // on the CPU it would only take threads from the networks
    seed_dropout(recipe_.seed, static_cast<std::uint64_t>(number));
    const double loss = replicas_.backward(batch, 1 / static_cast<double>(recipe_.gradient_accumulation_steps));
    batches_.wait();  // held-out metrics read the same data
    return loss;
  }

  Task& task_;
  const Recipe& recipe_;
  TrainableSet tensors_;
  Replicas replicas_;
  ReadAhead batches_;
  AdamW optimizer_;
  Ema ema_;
  LearningRate learning_rate_;
};

/// Examples a second since the last call of `restart`, excluding sample grids and checkpoints.
class Throughput {
 public:
  void restart() {
    start_ = Clock::now();
    examples_ = 0;
  }
  void count(std::int64_t examples) { examples_ += examples; }
  double rate() const {
    const std::chrono::duration<double> elapsed = Clock::now() - start_;
    return static_cast<double>(examples_) / std::max(1e-9, elapsed.count());
  }

 private:
  Clock::time_point start_ = Clock::now();
  std::int64_t examples_ = 0;
};

Json look(Task& task, TrainingState& state, const RunFolder& run, const TrainerHooks& hooks, std::int64_t step) {
  const EmaScope averages(state.ema());
  auto metrics = task.evaluate(step);
  nlohmann::ordered_json line{{"step", step}};
  for (const auto& [key, value] : metrics.items()) line[key] = value;
  run.log(line);
  if (hooks.write_sample) hooks.write_sample(run.sample_path(step), task.sample_grid());
  return metrics;
}

}  // namespace

std::int64_t train(Task& task, const Recipe& recipe, const RunFolder& run, const TrainerOptions& options) {
  const auto& hooks = options.hooks;
  TrainingState state(task, recipe, options.replicas);
  Json metrics = Json::object();
  std::int64_t step = 0;
  if (const auto checkpoint = run.newest()) {
    state.restore(*checkpoint);
    step = checkpoint->step;
    metrics = checkpoint->metrics;
  }
  if (step < recipe.steps) {
    if (hooks.on_begin) hooks.on_begin();
    run.cut_log(step);
  }
  Throughput throughput;
  while (step < recipe.steps) {
    const auto update = state.update(step);
    ++step;
    throughput.count(recipe.batch_size * recipe.gradient_accumulation_steps);
    if (hooks.on_step) hooks.on_step({step, recipe.steps, update.loss, throughput.rate()});
    const bool last = step == recipe.steps;
    const bool stop = hooks.stop_requested && hooks.stop_requested();
    if (step % recipe.log_every == 0 || last) {
      run.log({{"step", step},
               {"loss", update.loss},
               {"lr", update.lr},
               {"grad_norm", update.grad_norm},
               {"images_per_second", throughput.rate()}});
      throughput.restart();
    }
    if (!stop && (step % recipe.sample_every == 0 || last)) {
      metrics = look(task, state, run, hooks, step);
      throughput.restart();
    }
    if (step % recipe.checkpoint_every == 0 || last || stop) {
      run.write(state.checkpoint(step, metrics));
      throughput.restart();
    }
    if (stop) break;
  }
  return step;
}

}  // namespace sfumato
