#include "systems/chain.h"

#include <algorithm>
#include <stdexcept>

#include "core/cuda.h"
#include "core/number_text.h"
#include "diffusion/prediction.h"
#include "diffusion/subsequences.h"

namespace sfumato {
namespace {

constexpr std::int64_t kUsualSteps = 50;

[[noreturn]] void refuse_option(const std::string& option, const std::string& value, const std::string& expected) {
  throw std::invalid_argument(option + " is '" + value + "', expected " + expected);
}

bool is_of_distilled_models(const Sampler& sampler) {
  return sampler.name == "lcm" || sampler.name == "tcd";
}

/// Returns "A, B or C".
std::string listed_samplers() {
  const auto names = chain_sampler_names();
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : &name == &names.back() ? " or " : ", ") + name;
  return list;
}

Sampler sampler_of(const ReverseProcess& process, const ChainOptions& options) {
  const auto name = options.sampler.empty() ? process.default_sampler : options.sampler;
  const auto& rows = samplers();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Sampler& row) { return row.name == name; });
  // Flow matching with stochastic sampling takes the same steps as lcm.
  const bool renoises = options.sampler.empty() && process.schedule.config().flow.stochastic_sampling;
  if (found == rows.end() || (is_of_distilled_models(*found) && !renoises))
    refuse_option("sampler", name, listed_samplers());
  return *found;
}

/// True for samplers that support any selection of the model's own timesteps.
bool takes_any_timesteps(const Sampler& sampler) {
  return sampler.name == "ddim" || sampler.name == "ddpm";
}

void check_options(const Sampler& sampler, const ChainOptions& options) {
  const auto& name = sampler.name;
  if (options.skip_type != "uniform" && options.skip_type != "quadratic")
    refuse_option("skip type", options.skip_type, "uniform or quadratic");
  if (options.skip_type == "quadratic" && !takes_any_timesteps(sampler))
    refuse_option("skip type", "quadratic", "uniform with the sampler " + name + ": ddim and ddpm take any timesteps");
  if (!options.respacing.empty() && !takes_any_timesteps(sampler))
    refuse_option("respacing", options.respacing,
                  "none with the sampler " + name + ": ddim and ddpm take any timesteps");
  if (!options.respacing.empty() && options.steps > 0)
    refuse_option("respacing", options.respacing, "none with steps, which it counts itself");
  if (!options.respacing.empty() && options.skip_type == "quadratic")
    refuse_option("respacing", options.respacing, "none with skip type quadratic");
  if (options.eta && name != "ddim") refuse_option("eta", number_text(*options.eta), "none with the sampler " + name);
  if (options.eta && !(*options.eta >= 0 && *options.eta <= 1))
    refuse_option("eta", number_text(*options.eta), "0 to 1");
  if (!options.variance.empty() && name != "ddpm")
    refuse_option("variance", options.variance, "none with the sampler " + name + ": it is ddpm's");
}

std::int64_t steps_of(const Schedule& schedule, const Sampler& sampler, std::int64_t requested) {
  const auto all = schedule.num_train_timesteps();
  if (requested < 0) refuse_option("steps", std::to_string(requested), "1 to " + std::to_string(all));
  if (requested > 0) return requested;
  return sampler.name == "ddpm" ? all : std::min(all, kUsualSteps);
}

std::vector<Step> make_chain_steps(const Schedule& schedule, const Sampler& sampler, const ChainOptions& options) {
  const auto n = steps_of(schedule, sampler, options.steps);
  if (options.respacing.empty() && options.skip_type == "uniform") return make_steps(schedule, n, sampler.grid);
  const auto timesteps =
      options.respacing.empty() ? quadratic_timesteps(schedule, n) : parse_respacing(schedule, options.respacing);
  const Level clean{.t = 0, .alpha = 1, .sigma = 0};
  return steps_at(schedule, timesteps, sampler.name == "ddim" ? schedule.final_level() : clean);
}

/// Refuses respacing that starts where eps determines x0 too badly to begin with: an error of eps is divided by alpha.
/// Clipping x0 bounds the result; without it, ancestral steps and DDIM amplify the error to noise. Steps spaced as in
/// diffusers may start there, as they do in diffusers.
void check_respacing(const Schedule& schedule, const std::string& respacing, const Level& first) {
  constexpr double kLeastSignal = 1e-3;
  const auto prediction = Prediction::of(schedule.config());
  if (prediction.type != PredictionType::epsilon || prediction.threshold.limits()) return;
  if (first.alpha == 0 || first.alpha >= kLeastSignal) return;
  refuse_option("respacing", respacing,
                "a selection without timestep " + number_text(first.t) +
                    ", where eps determines no x0 and the model does not clip it; steps, or ddimN, leave it out");
}

std::string variance_of(const ReverseProcess& process, const ChainOptions& options) {
  auto config = process.schedule.config();
  if (!options.variance.empty()) config.variance_type = options.variance;
  config.validate();
  if (config.variance_type.starts_with("learned") && !process.predicts_variance)
    refuse_option("variance", config.variance_type,
                  "fixed_small, fixed_small_log or fixed_large with this model, whose network predicts no variance");
  return config.variance_type;
}

}  // namespace

std::vector<std::string> chain_sampler_names() {
  std::vector<std::string> names;
  for (const auto& sampler : samplers())
    if (!is_of_distilled_models(sampler)) names.push_back(sampler.name);
  return names;
}

Chain make_chain(const ReverseProcess& process, const ChainOptions& options) {
  auto sampler = sampler_of(process, options);
  check_options(sampler, options);
  const auto& schedule = process.schedule;
  auto steps = make_chain_steps(schedule, sampler, options);
  check_start(sampler, steps);
  if (!options.respacing.empty()) check_respacing(schedule, options.respacing, steps.front().from);
  const auto& config = schedule.config();
  SamplerOptions sampler_options{.eta = options.eta.value_or(0),
                                 .prediction_type = config.prediction_type,
                                 .solver = config.solver,
                                 .timestep_scaling = config.timestep_scaling};
  if (sampler.name == "ddpm") sampler_options.variance_type = variance_of(process, options);
  if (sampler.noise.front() == "brownian") sampler_options.brownian = ratio_span(steps);
  const double noise_scale = initial_noise_scale(schedule, steps, sampler.grid);
  return {.sampler = std::move(sampler),
          .steps = std::move(steps),
          .options = std::move(sampler_options),
          .noise_scale = noise_scale};
}

torch::Tensor run_chain(const Chain& chain, const Denoiser& denoise, const ChainRun& run, const OnStep& on_step) {
  bool ended = false;
  StepPacer pacer(run.device);
  const auto x = chain.sampler.sample({.denoise = denoise,
                                       .x = to_device(run.x, run.device),
                                       .steps = chain.steps,
                                       .noise = run.noise,
                                       .options = chain.options,
                                       .on_step = [&](int step, int count, const torch::Tensor& latents) {
                                         pacer.step_queued();
                                         ended = on_step && !on_step(step, count, latents);
                                         return !ended;
                                       }});
  return ended ? torch::Tensor() : x;
}

Chain inverse_chain(Chain chain) {
  TORCH_CHECK(chain.sampler.name == "ddim" && chain.options.eta == 0, "only DDIM at eta 0 is inverted");
  chain.steps = inverse_steps(chain.steps);
  return chain;
}

}  // namespace sfumato
