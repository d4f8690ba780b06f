#include "training/kinds/unconditional/unconditional_task.h"

#include <cmath>
#include <stdexcept>

#include "data/image_fit.h"
#include "diffusion/scheduler_classes.h"
#include "training/grid.h"
#include "training/held_out_loss.h"
#include "training/network_parameters.h"
#include "training/sampling.h"

namespace sfumato {
namespace {

constexpr std::int64_t kHeldOutExamples = 256;

}  // namespace

UnconditionalTask::UnconditionalTask(const UnconditionalRecipe& recipe, const TaskContext& context)
    : recipe_(recipe),
      device_(context.device),
      objective_(recipe, context.device),
      source_(recipe, context),
      loader_(recipe, source_, context.device) {
  const torch::NoGradGuard no_grad;
  auto& unet = *objective_.unet;
  initialize(unet, generator_for(recipe.seed, Stream::kInitialisation, 0));
  unet.conv_out->weight.zero_();  // the first prediction is 0, the mean of the target
  unet.conv_out->bias.zero_();
  objective_.place();
}

std::unique_ptr<Objective> UnconditionalTask::new_objective() const {
  return placed_objective<UnconditionalObjective>(recipe_, device_);
}

void UnconditionalTask::init_from(const std::filesystem::path& folder) {
  copy_weights(*objective_.unet, folder / "unet", UNet2DModelImpl::rename_key);
}

torch::Tensor UnconditionalTask::held_out(std::int64_t most) const {
  return held_out_indices(source_.size(), source_.held_out(), most);
}

Json UnconditionalTask::evaluate(std::int64_t step) {
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  const auto loss = [&](const torch::Tensor& indices, at::Generator& generator) {
    return objective_.simple_loss(loader_.held_out(indices, generator));
  };
  Json metrics = {{"held_out_loss", mean_held_out_loss(held_out(kHeldOutExamples), recipe_.seed, loss)}};
  const auto& bits = recipe_.bits_per_dimension;
  if (bits.every > 0 && (step % bits.every == 0 || step == recipe_.steps))
    metrics["held_out_bpd"] = held_out_bits({.images = bits.images, .timesteps = bits.timesteps})->total;
  return metrics;
}

std::optional<BitsPerDimension> UnconditionalTask::held_out_bits(const BitsSettings& settings) {
  if (!recipe_.vae.empty()) return std::nullopt;
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  const auto& config = objective_.schedule.config();
  const VariationalBound bound(objective_.schedule, device_, /*clip=*/1);
  const auto timesteps = bound_timesteps(config.num_train_timesteps, settings.timesteps);
  const auto parts = held_out(settings.images).split(kHeldOutBatch);
  const auto total = static_cast<std::int64_t>(parts.size() * timesteps.t.size());
  std::int64_t done = 0;
  BitsPerDimension mean;
  for (const auto& part : parts) {
    const auto labels = source_.classes() > 0 ? source_.labels(part).to(device_) : torch::Tensor();
    const TimestepNetwork network = [&](const torch::Tensor& x, const torch::Tensor& t) {
      if (settings.on_evaluation) settings.on_evaluation(++done, total);
      return objective_.unet->forward(x, t, labels);
    };
    const auto x0 = from_levels(to_levels(source_.x0(part, torch::zeros({part.size(0)}, torch::kBool))));
    const auto type = parse_prediction_type(config.prediction_type);
    auto generator = generator_for(recipe_.seed, Stream::kSample, static_cast<std::uint64_t>(mean.images));
    accumulate(mean, bits_per_dimension(network, bound, objective_.process, type, x0, timesteps, generator));
  }
  return mean;
}

torch::Tensor UnconditionalTask::sample_grid() {
  const torch::NoGradGuard no_grad;
  const EvaluationScope evaluation(*objective_.unet);
  auto& unet = *objective_.unet;
  const auto& schedule = objective_.schedule;
  const auto count = recipe_.sample.count;
  const auto labels =
      source_.classes() > 0 ? torch::arange(count).remainder(source_.classes()).to(device_) : torch::Tensor();
  const Backbone backbone = [&](const torch::Tensor& x, const Evaluation& evaluation, const Condition& condition) {
    return unet.forward(x, torch::full({1}, evaluation.level.t, x.options()), condition.class_labels);
  };
  const auto x0 = draw_samples(backbone, {.positives = {{.class_labels = labels}}},
                               {.schedule = schedule,
                                .sampler = default_sampler(schedule.config()),
                                .steps = recipe_.sample.steps,
                                .eta = recipe_.sample.eta,
                                .seeds = counted_seeds(recipe_.seed, count),
                                .shape = source_.shape(),
                                .device = device_});
  const auto columns = static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  return make_grid(source_.decode(x0), columns);
}

}  // namespace sfumato
