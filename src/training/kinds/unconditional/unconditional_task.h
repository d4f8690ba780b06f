#pragma once

#include "diffusion/bits_per_dimension.h"
#include "training/kinds/unconditional/unconditional_loader.h"
#include "training/kinds/unconditional/unconditional_objective.h"
#include "training/task.h"

namespace sfumato {

/// Trains an UnconditionalObjective from scratch.
class UnconditionalTask : public Task {
 public:
  UnconditionalTask(const UnconditionalRecipe& recipe, const TaskContext& context);

  Objective& objective() override { return objective_; }
  std::unique_ptr<Objective> new_objective() const override;
  Loader& loader() override { return loader_; }
  void init_from(const std::filesystem::path& folder) override;
  /// Returns {"held_out_loss": L_simple of held-out images, with the same noise and timesteps every time} and, at the
  /// recipe's interval, "held_out_bpd".
  Json evaluate(std::int64_t step) override;
  /// Returns samples, each from its own seed; the classes, if the network has any, take turns.
  torch::Tensor sample_grid() override;
  std::optional<BitsPerDimension> held_out_bits(const BitsSettings& settings) override;

 private:
  /// Returns the indices of at most `most` held-out images, or of all if `most` is 0.
  torch::Tensor held_out(std::int64_t most) const;

  UnconditionalRecipe recipe_;
  torch::Device device_;
  UnconditionalObjective objective_;
  ExampleSource source_;
  UnconditionalLoader loader_;
};

}  // namespace sfumato
