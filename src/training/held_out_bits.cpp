#include "training/held_out_bits.h"

#include <stdexcept>

namespace sfumato {
namespace {

void load_averages(Task& task, const Checkpoint& checkpoint) {
  const torch::NoGradGuard no_grad;
  const auto averages = checkpoint.part("ema.");
  for (auto& [name, value] : task.objective().tensors().averaged) {
    const auto found = averages.find(name);
    if (found == averages.end()) throw std::runtime_error("the checkpoint lacks the average of '" + name + "'");
    value.copy_(found->second);
  }
}

nlohmann::ordered_json rows_of_timesteps(const BitsPerDimension& bits) {
  auto rows = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < bits.terms.size(); ++i)
    rows.push_back({{"t", bits.timesteps.t[i]},
                    {"weight", bits.timesteps.weights[i]},
                    {"bpd", bits.terms[i]},
                    {"mse", bits.mse[i]},
                    {"x0_mse", bits.x0_mse[i]}});
  return rows;
}

}  // namespace

nlohmann::ordered_json measure_bits(const TaskContext& context, const BitsSettings& settings) {
  const auto job = job_of(context.run);
  const auto checkpoint = checkpoint_of(context.run);
  const auto task = make_task(*job, context);
  load_averages(*task, checkpoint);
  const auto bits = task->held_out_bits(settings);
  if (!bits)
    throw std::invalid_argument("'" + context.run.path().string() +
                                "' models no 8-bit images; expected a run of kind unconditional in pixels");
  return {{"step", checkpoint.step},
          {"images", bits->images},
          {"held_out_bpd", bits->total},
          {"prior_bpd", bits->prior},
          {"timesteps", rows_of_timesteps(*bits)}};
}

}  // namespace sfumato
